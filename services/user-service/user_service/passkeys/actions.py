"""Add, rename and remove passkeys; sign in with one."""

from __future__ import annotations

from typing import Any

from chassis.context import Caller
from chassis.db.database import Database, DeadlineConnection, constraints
from chassis.problems import InvalidToken, NotFound
from user_service.passkeys import challenges, rules, statements
from user_service.passkeys.rules import ChallengeUsed, Site, TooManyPasskeys, UnknownPasskey
from user_service.sessions.actions import Opened, SessionPolicy, open_session
from user_service.sessions.rules import AccountDisabled, InvalidCredentials, ProofNeeded

# Twice as long as a challenge is valid: the clocks of the servers that sign and read it may differ.
USED_SECONDS = 2 * challenges.SECONDS


def add(db: Database, *, caller: Caller, site: Site, challenge: bytes, credential: dict[str, Any], name: str) -> None:
    """Add the passkey; raise PasskeyRefused, ChallengeUsed, PasskeyTaken, TooManyPasskeys or ProofNeeded."""
    made = rules.verify_new(site, challenge, credential)
    passkey = {**made._asdict(), "user_id": caller.user_id, "name": name, "most": rules.MOST_PASSKEYS}
    with constraints(rules.TAKEN), db.transaction("add_passkey") as connection:
        # Also keeps two requests at once from adding more passkeys than an account may have.
        owner = connection.fetch_one(statements.LOCK_OWNER, caller._asdict())
        if owner is None:
            raise InvalidToken
        if not owner.may_add_factor:
            raise ProofNeeded
        _use_challenge(connection, challenge)
        if connection.fetch_one(statements.ADD, passkey) is None:
            raise TooManyPasskeys


def sign_in(
    db: Database,
    *,
    site: Site,
    challenge: bytes,
    credential: dict[str, Any],
    user_agent: str | None,
    policy: SessionPolicy,
) -> Opened:
    """Open a session; raise a Problem of rules.py or AccountDisabled."""
    answer = rules.read_answer(credential)
    known = db.fetch_one(statements.FIND_WITH_OWNER, {"credential_id": answer.raw_id})
    if known is None:
        raise UnknownPasskey
    sign_count = rules.verify_answer(site, challenge, answer, public_key=known.public_key, user_id=known.id)
    if known.disabled_at:
        raise AccountDisabled
    with db.transaction("sign_in_with_passkey") as connection:
        try:
            opened = open_session(connection, known, user_agent, policy, second_factor=True)
        except InvalidCredentials as refusal:
            raise UnknownPasskey from refusal  # the account was deleted, or its password changed, meanwhile
        _use_challenge(connection, challenge)
        used = connection.fetch_one(statements.USE, {"credential_id": answer.raw_id, "sign_count": sign_count})
        if used is None:
            raise UnknownPasskey
        rules.refuse_copy(used.before, sign_count)
    return opened


def _use_challenge(connection: DeadlineConnection, challenge: bytes) -> None:
    parameters = {"digest": challenges.digest(challenge), "seconds": USED_SECONDS}
    if connection.fetch_one(statements.USE_CHALLENGE, parameters) is None:
        raise ChallengeUsed


def rename(db: Database, *, caller: Caller, credential_id: bytes, name: str) -> None:
    """Rename one of the caller's passkeys; raise NotFound."""
    passkey = {"credential_id": credential_id, "user_id": caller.user_id, "name": name}
    if db.fetch_one(statements.RENAME, passkey) is None:
        raise NotFound


def remove(db: Database, *, caller: Caller, credential_id: bytes) -> None:
    """Remove one of the caller's passkeys; raise NotFound."""
    if db.fetch_one(statements.REMOVE, {"credential_id": credential_id, "user_id": caller.user_id}) is None:
        raise NotFound
