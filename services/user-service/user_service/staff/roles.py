"""Give and take the role of staff, and end the sessions whose tokens say otherwise, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.auth.roles import STAFF
from chassis.db import audit
from chassis.db.database import Database, Row
from chassis.db.statement import Statement
from user_service.accounts.rules import username_digest
from user_service.second_factor import actions as second_factor
from user_service.sessions.actions import end_sessions

SET_ROLES = Statement("""-- set_roles
UPDATE users SET roles = CAST(%(roles)s AS text[]) WHERE username_digest = %(digest)s AND deleted_at IS NULL
RETURNING id, username, old.roles AS before, totp_secret IS NOT NULL AS has_second_factor
""")
LOCK_BY_NAME = "SELECT id FROM users WHERE username_digest = %(digest)s AND deleted_at IS NULL FOR UPDATE"
LIST = """
SELECT id, username, disabled_at, totp_secret IS NOT NULL AS has_second_factor FROM users
WHERE roles <> '{}' ORDER BY id
"""


class NoSuchUser(Exception):
    """There is no account with this username."""


def grant(db: Database, *, username: str) -> Row:
    """Make a user one of the staff; raise NoSuchUser."""
    return _set_roles(db, username, [STAFF], "staff.grant")


def revoke(db: Database, *, username: str) -> Row:
    """Make a user a customer again; raise NoSuchUser."""
    return _set_roles(db, username, [], "staff.revoke")


def _set_roles(db: Database, username: str, roles: list[str], action: str) -> Row:
    with db.transaction("set_roles") as connection:
        user = connection.fetch_one(SET_ROLES, {"digest": username_digest(username), "roles": roles})
        if user is None:
            raise NoSuchUser(f"there is no account with the username {username}")
        end_sessions(connection, user.id)
        if user.before != roles:
            audit.note(connection, None, action, user.id, before={"roles": user.before}, after={"roles": roles})
    return user


def reset_second_factor(db: Database, *, username: str) -> bool:
    """Switch a user's second factor off and end the sessions; tell whether there was one; raise NoSuchUser."""
    with db.transaction("reset_second_factor") as connection:
        user = connection.fetch_one(LOCK_BY_NAME, {"digest": username_digest(username)})
        if user is None:
            raise NoSuchUser(f"there is no account with the username {username}")
        was_on = second_factor.forget(connection, user.id)
        end_sessions(connection, user.id)
        if was_on:
            audit.note(connection, None, "staff.reset_second_factor", user.id)
    return was_on


def list_staff(db: Database) -> Sequence[Row]:
    return db.fetch_all(LIST)
