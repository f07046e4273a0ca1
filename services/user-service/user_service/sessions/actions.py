"""Open, continue and end sessions."""

from __future__ import annotations

import logging
from typing import NamedTuple

from chassis.auth.roles import STAFF, UNPROVEN_STAFF
from chassis.context import Caller
from chassis.db.database import Database, DeadlineConnection, Row
from chassis.jobs import defer
from chassis.problems import InvalidToken, NotFound
from user_service.accounts import one_time_codes
from user_service.accounts.passwords import Passwords
from user_service.accounts.rules import address_in, username_digest
from user_service.sessions import refresh_tokens, statements
from user_service.sessions.pending import Pending
from user_service.sessions.refresh_tokens import Client
from user_service.sessions.rules import AccountDisabled, InvalidCredentials, InvalidRefreshToken, OtpRequired, OtpWrong

log = logging.getLogger(__name__)


class SessionPolicy(NamedTuple):
    """Seconds after which a session ends, since its last refresh and since its sign-in; and what staff must prove."""

    idle: int
    max_age: int
    staff_second_factor: bool

    def roles(self, session: Row) -> tuple[str, ...]:
        """Return the roles that the session's tokens carry."""
        if STAFF in session.roles and self.staff_second_factor and not session.second_factor:
            return (UNPROVEN_STAFF,)
        return tuple(session.roles)


class Opened(NamedTuple):
    """A live session and its next refresh token."""

    caller: Caller
    refresh_token: str


def check_password(db: Database, passwords: Passwords, *, username: str, password: str) -> Row:
    """Return the user of this username or verified address, for `sign_in`.

    Raise InvalidCredentials or AccountDisabled.
    """
    names = {"digest": username_digest(username), "email_key": address_in(username)}
    user = db.fetch_one(statements.FIND_USER, names)
    # No connection is held while hashing. An unknown username costs the same time.
    if not passwords.match(password, user and user.password_hash) or user is None:
        raise InvalidCredentials
    if user.disabled_at:
        raise AccountDisabled
    _upgrade_hash(db, passwords, user, password)
    return user


def find_pending(db: Database, *, pending: Pending) -> Row:
    """Return the user whose password was right minutes ago, for `sign_in`; raise InvalidCredentials."""
    user = db.fetch_one(statements.FIND_PENDING, pending._asdict())
    if user is None:
        raise InvalidCredentials
    return user


def sign_in(
    db: Database, *, user: Row, otp: str | None, user_agent: str | None, policy: SessionPolicy, knows_device: bool
) -> Opened:
    """Open a session of a user whose password was right; raise OtpRequired, OtpWrong or InvalidCredentials."""
    if user.totp_secret is None:
        with db.transaction("sign_in") as connection:
            return open_session(connection, user, user_agent, policy, knows_device=knows_device)
    if otp is None:
        raise OtpRequired
    with db.transaction("sign_in_with_second_factor") as connection:
        use_code(connection, user, otp)
        return open_session(connection, user, user_agent, policy, second_factor=True, knows_device=knows_device)


def use_code(connection: DeadlineConnection, user: Row, otp: str) -> None:
    """Use up a code of the app or a recovery code; raise OtpWrong."""
    proof = one_time_codes.read_code(otp, user.totp_secret)
    if proof is None:
        raise OtpWrong
    statement = statements.USE_RECOVERY_CODE if proof.step is None else statements.USE_STEP
    parameters = {"user_id": user.id, "totp_secret": user.totp_secret, **proof._asdict()}
    if connection.fetch_one(statement, parameters) is None:
        raise OtpWrong


def open_session(
    connection: DeadlineConnection,
    user: Row,
    user_agent: str | None,
    policy: SessionPolicy,
    *,
    second_factor: bool = False,
    knows_device: bool = False,
) -> Opened:
    """Open a session of a user who has proved who they are; raise InvalidCredentials when the account has changed.

    The user's mailbox hears of a device that has not signed in before.
    """
    refresh_token = refresh_tokens.new_token()
    session = connection.fetch_one(
        statements.OPEN,
        {
            "user_id": user.id,
            "password_changed_at": user.password_changed_at,
            "user_agent": user_agent,
            "second_factor": second_factor,
            "totp_secret": user.totp_secret,
            "digest": refresh_tokens.digest(refresh_token),
            **policy._asdict(),
        },
    )
    if session is None:
        raise InvalidCredentials
    if session.is_new_device and not knows_device:
        defer(connection, "tell_new_device", {"session_id": session.id})
    return Opened(Caller(user.id, user.username, session.id, policy.roles(session)), refresh_token)


def _upgrade_hash(db: Database, passwords: Passwords, user: Row, password: str) -> None:
    if passwords.outdated(user.password_hash):
        new = {"new": passwords.hash(password), "old": user.password_hash, "user_id": user.id}
        db.fetch_one(statements.REHASH, new)


def refresh(
    db: Database, *, refresh_token: str, client: Client, policy: SessionPolicy, session_id: str | None = None
) -> Opened:
    """Exchange a refresh token for the next one; a second use of a token ends its session.

    With `session_id`, a token of another session counts as unknown: it is not used.
    For REUSE_LEEWAY_SECONDS the same client may repeat the request and gets the same next token, until that is used.
    """
    key = refresh_tokens.new_successor_key()
    parameters = {
        "presented": refresh_tokens.digest(refresh_token),
        "next": refresh_tokens.digest(refresh_tokens.successor(refresh_token, key)),
        "successor_key": key,
        "client": refresh_tokens.client_mark(refresh_token, client),
        "leeway": refresh_tokens.REUSE_LEEWAY_SECONDS,
        "of_session": session_id,
        **policy._asdict(),
    }
    session = db.fetch_one(statements.REFRESH, parameters)
    if session is None:
        raise InvalidRefreshToken
    if session.ended_at is not None:
        log.warning("refresh_token_reused", extra={"session_id": session.id, "user_id": session.user_id})
        raise InvalidRefreshToken
    caller = Caller(session.user_id, session.username, session.id, policy.roles(session))
    return Opened(caller, refresh_tokens.successor(refresh_token, session.successor_key))


def sign_out(db: Database, *, caller: Caller) -> None:
    """End the caller's session."""
    if db.fetch_one(statements.END, _ids(caller)) is None:
        raise InvalidToken


def end_session(db: Database, *, caller: Caller, session_id: str) -> None:
    """End one of the caller's sessions; raise NotFound for another user's."""
    outcome = db.fetch_one(statements.END_ONE, {**_ids(caller), "ending": session_id})
    if outcome is None or not outcome.signed_in:
        raise InvalidToken
    if not outcome.found:
        raise NotFound


def end_others(db: Database, *, caller: Caller) -> None:
    """End all of the caller's sessions except the current one."""
    outcome = db.fetch_one(statements.END_OTHERS, _ids(caller))
    if outcome is None or not outcome.signed_in:
        raise InvalidToken


def end_sessions(connection: DeadlineConnection, user_id: str) -> int:
    """End all sessions of a user whose row the transaction has locked; return how many."""
    return connection.execute(statements.END_ALL, {"user_id": user_id}).rowcount


def _ids(caller: Caller) -> dict[str, str]:
    return {"session_id": caller.session_id, "user_id": caller.user_id}


def forget_ended(db: Database) -> int:
    """Delete the sessions that ended or expired two days ago; return how many."""
    total = 0
    while count := db.fetch_one(statements.FORGET_ENDED).count:
        total += count
    return total
