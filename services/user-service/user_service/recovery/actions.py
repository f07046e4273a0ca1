"""Confirm addresses and reset passwords with the tokens that mails carry."""

from __future__ import annotations

from chassis.context import Caller
from chassis.db.database import Database, constraints
from chassis.jobs import defer
from chassis.problems import InvalidToken
from user_service.accounts.passwords import Passwords
from user_service.accounts.rules import email_key, refuse_weak
from user_service.recovery import rules, statements
from user_service.recovery.rules import InvalidMailToken, NothingToConfirm
from user_service.sessions.refresh_tokens import digest
from user_service.sessions.statements import END_ALL


def unconfirmed(db: Database, *, caller: Caller) -> str:
    """Return the caller's address that needs to be confirmed; raise NothingToConfirm."""
    row = db.fetch_one(statements.UNCONFIRMED, caller._asdict())
    if row is None:
        raise InvalidToken
    if row.email is None:
        raise NothingToConfirm
    return str(row.email)


def ask_to_confirm(db: Database, *, user_id: str) -> None:
    """Have a mail sent that asks to confirm the address."""
    with db.transaction("ask_to_confirm") as connection:
        defer(connection, "send_confirmation", {"user_id": user_id})


def confirm(db: Database, *, token: str) -> None:
    """Confirm the address that the mail with this token went to; raise InvalidMailToken or EmailTaken."""
    with constraints(rules.TAKEN):
        confirmed = db.fetch_one(statements.CONFIRM, {"digest": digest(token), "purpose": rules.CONFIRM})
    if confirmed is None:
        raise InvalidMailToken


def note_forgotten(db: Database, *, email: str) -> None:
    """Have a mail sent to the account with this address; nobody is told whether there is one."""
    with db.transaction("forget_password") as connection:
        asked = connection.fetch_one(statements.NOTE_FORGOTTEN, {"email": email, "email_key": email_key(email)})
        defer(connection, "find_forgotten", {"address_id": asked.id})


def reset_password(db: Database, passwords: Passwords, *, token: str, new_password: str) -> None:
    """Set a new password, end all sessions, delete a customer's passkeys; raise InvalidMailToken or WeakPassword."""
    presented = {"digest": digest(token), "purpose": rules.RESET}
    known = db.fetch_one(statements.OF_RESET, presented)
    if known is None:
        raise InvalidMailToken  # before hashing, which is expensive; whether the token is still good is decided below
    refuse_weak(new_password, username=known.username, email=known.email)
    password_hash = passwords.hash(new_password)
    with constraints(rules.TAKEN), db.transaction("reset_password") as connection:
        reset = connection.fetch_one(statements.RESET, {**presented, "password_hash": password_hash})
        if reset is None:
            raise InvalidMailToken
        of_user = {"user_id": reset.id}
        connection.execute(statements.DROP_TOKENS, of_user)
        connection.execute(statements.DROP_PASSKEYS, of_user)
        connection.execute(END_ALL, of_user)
        defer(connection, "tell_new_password", of_user)
