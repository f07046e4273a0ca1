"""Change or delete one's own account."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text, update

from chassis.database import Database, constraints
from chassis.errors import InvalidToken
from chassis.failpoints import reach
from chassis.tokens import Caller
from user_service.accounts.passwords import Passwords
from user_service.accounts.rules import TAKEN, email_key, refuse_weak
from user_service.accounts.tables import users
from user_service.profile import queries
from user_service.profile.rules import WrongPassword
from user_service.sessions.tables import sessions

SET_PASSWORD = text("""
UPDATE users SET password_hash = :password_hash, password_changed_at = clock_timestamp()
WHERE id = :user_id AND password_changed_at = :password_changed_at RETURNING id
""")
END_OTHERS = text("""
UPDATE sessions SET ended_at = now() WHERE user_id = :user_id AND id <> :session_id AND ended_at IS NULL
""")
ERASE = text("""
UPDATE users
SET deleted_at = now(), username = NULL, password_hash = NULL, name = NULL, email = NULL, email_key = NULL,
    phone = NULL, shipping_address = NULL
WHERE id = :user_id AND password_changed_at = :password_changed_at RETURNING id
""")
END_ALL = text("""
UPDATE sessions SET ended_at = coalesce(ended_at, now()), user_agent = NULL WHERE user_id = :user_id
""")


def change_profile(db: Database, *, caller: Caller, changes: dict[str, Any]) -> dict[str, Any]:
    """Write these members of the caller's profile; return all of it."""
    if "email" in changes:
        changes = {**changes, "email_key": email_key(changes["email"])}
    with constraints(TAKEN):
        row = db.first(_changing(changes, caller))
    if row is None:
        raise InvalidToken
    return queries.profile_of(row)


def _changing(changes: dict[str, Any], caller: Caller) -> Any:
    live = (sessions.c.id == caller.session_id, sessions.c.user_id == users.c.id, sessions.c.ended_at.is_(None))
    return (
        update(users)
        .values(changes)
        .where(users.c.id == caller.user_id, *live)
        .returning(*(users.c[column] for column in queries.PROFILE))
    )


def change_password(db: Database, passwords: Passwords, *, caller: Caller, current: str, new: str) -> None:
    """Set a new password and end the caller's other sessions."""
    known = _confirmed(db, passwords, caller, current)
    refuse_weak(new, username=known.username, email=known.email)
    password_hash = passwords.hash(new)
    with db.transaction() as connection:
        _claim(connection, SET_PASSWORD, caller, known, password_hash=password_hash)
        connection.execute(END_OTHERS, {"user_id": caller.user_id, "session_id": caller.session_id})


def delete_account(db: Database, passwords: Passwords, *, caller: Caller, password: str) -> None:
    """Erase what is held on the caller and end all sessions; only the username stays reserved."""
    known = _confirmed(db, passwords, caller, password)
    reach("erase.before")
    with db.transaction() as connection:
        _claim(connection, ERASE, caller, known)
        reach("erase.claimed")
        connection.execute(END_ALL, {"user_id": caller.user_id})
        reach("erase.ended")
    reach("erase.after")


def _confirmed(db: Database, passwords: Passwords, caller: Caller, password: str) -> Row[Any]:
    known = queries.credentials(db, caller=caller)
    if not passwords.match(password, known.password_hash):
        raise WrongPassword
    return known


def _claim(connection: Connection, statement: Any, caller: Caller, known: Row[Any], **values: str) -> None:
    """Change the user's row first, on its own: the next statement then sees every session that a racing sign-in
    opened, and a sign-in that comes later sees the change."""
    parameters = {"user_id": caller.user_id, "password_changed_at": known.password_changed_at, **values}
    if connection.execute(statement, parameters).first() is None:
        raise InvalidToken  # another session changed the password or deleted the account meanwhile
