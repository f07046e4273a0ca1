"""Switch the second factor on and off, renew its recovery codes."""

from __future__ import annotations

from chassis.context import Caller
from chassis.db.database import Database, DeadlineConnection, Row
from chassis.problems import InvalidToken
from user_service.accounts import one_time_codes
from user_service.accounts.passwords import Passwords
from user_service.profile.actions import confirm
from user_service.second_factor import queries, statements
from user_service.second_factor.rules import NotOffered, SecondFactorOff, SecondFactorOn, WrongCode
from user_service.sessions.actions import use_code
from user_service.sessions.rules import OtpWrong, ProofNeeded


def offer(db: Database, passwords: Passwords, *, caller: Caller, password: str) -> str:
    """Store a new secret, which `switch_on` puts in force, and return it.

    Raise WrongPassword, SecondFactorOn or ProofNeeded.
    """
    known = confirm(db, passwords, caller=caller, password=password)
    secret = one_time_codes.new_secret()
    changes = {"secret": secret, "password_changed_at": known.password_changed_at, **caller._asdict()}
    if db.fetch_one(statements.OFFER, changes) is None:
        if known.totp_secret:
            raise SecondFactorOn
        raise InvalidToken if known.may_add_factor else ProofNeeded
    return secret


def switch_on(db: Database, *, caller: Caller, otp: str) -> list[str]:
    """Put the offered secret in force and return recovery codes; raise NotOffered, SecondFactorOn or WrongCode."""
    known = queries.read_state(db, caller=caller)
    if known.totp_secret:
        raise SecondFactorOn
    if known.totp_offered is None:
        raise NotOffered
    proof = one_time_codes.read_code(otp, known.totp_offered)
    if proof is None or proof.step is None:
        raise WrongCode
    with db.transaction("switch_on_second_factor") as connection:
        changes = {**caller._asdict(), "offered": known.totp_offered, "step": proof.step}
        if connection.fetch_one(statements.SWITCH_ON, changes) is None:
            raise NotOffered  # another request was faster, or a passkey was added meanwhile
        connection.execute(statements.PROVE_SESSION, {"user_id": caller.user_id, "session_id": caller.session_id})
        return _renew_codes(connection, caller.user_id)


def switch_off(db: Database, passwords: Passwords, *, caller: Caller, password: str, otp: str) -> None:
    """Forget the secret and the recovery codes; raise WrongPassword, SecondFactorOff or WrongCode."""
    known = _known(db, passwords, caller, password)
    with db.transaction("switch_off_second_factor") as connection:
        _use(connection, known, otp)
        forget(connection, caller.user_id)


def forget(connection: DeadlineConnection, user_id: str) -> bool:
    """Forget a user's second factor in a transaction; tell whether there was one."""
    row = connection.fetch_one(statements.SWITCH_OFF, {"user_id": user_id})
    connection.execute(statements.FORGET_CODES, {"user_id": user_id})
    connection.execute(statements.UNPROVE_SESSIONS, {"user_id": user_id})
    return row is not None


def renew_codes(db: Database, passwords: Passwords, *, caller: Caller, password: str, otp: str) -> list[str]:
    """Replace all recovery codes and return the new ones; raise WrongPassword, SecondFactorOff or WrongCode."""
    known = _known(db, passwords, caller, password)
    with db.transaction("renew_recovery_codes") as connection:
        _use(connection, known, otp)
        return _renew_codes(connection, caller.user_id)


def _known(db: Database, passwords: Passwords, caller: Caller, password: str) -> Row:
    known = confirm(db, passwords, caller=caller, password=password)
    if known.totp_secret is None:
        raise SecondFactorOff
    return known


def _use(connection: DeadlineConnection, known: Row, otp: str) -> None:
    try:
        use_code(connection, known, otp)
    except OtpWrong as refusal:
        raise WrongCode from refusal


def _renew_codes(connection: DeadlineConnection, user_id: str) -> list[str]:
    codes = one_time_codes.new_recovery_codes()
    connection.execute(statements.FORGET_CODES, {"user_id": user_id})
    digests = [one_time_codes.digest(code) for code in codes]
    connection.execute(statements.STORE_CODES, {"user_id": user_id, "digests": digests})
    return codes
