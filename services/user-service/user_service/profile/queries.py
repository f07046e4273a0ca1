"""Read the caller's account; raise InvalidToken when the session has ended."""

from __future__ import annotations

from typing import Any

from chassis.context import Caller
from chassis.db.database import Database, Row
from chassis.problems import InvalidToken
from user_service.sessions.statements import MAY_ADD_FACTOR

PROFILE = (
    "id", "username", "name", "email", "phone", "shipping_address",
    "email_verified_at", "email_refused_at", "new_email",
)  # fmt: skip

_SESSIONS = """(
    SELECT json_agg(s ORDER BY s.created_at)
    FROM (SELECT id, user_agent, created_at, last_used_at, expires_at, ended_at
          FROM sessions WHERE user_id = users.id) AS s
)"""
_PASSKEYS = """(
    SELECT coalesce(json_agg(p ORDER BY p.created_at), '[]')
    FROM (SELECT name, created_at, last_used_at FROM passkeys WHERE user_id = users.id) AS p
)"""

# What staff changed, without who of them: that is their personal data.
_CHANGES_BY_STAFF = """(
    SELECT coalesce(json_agg(a ORDER BY a.at), '[]')
    FROM (SELECT at, action, before, after FROM audit_entries WHERE subject = users.id) AS a
)"""


def _of_caller(*columns: str) -> str:
    return (
        f"SELECT {', '.join(columns)} FROM users JOIN sessions live ON live.user_id = users.id"
        " WHERE live.id = %(session_id)s AND users.id = %(user_id)s AND live.ended_at IS NULL"
    )


_PROFILE = [f"users.{column}" for column in PROFILE]
READ = _of_caller(*_PROFILE)
EXPORT = _of_caller(
    *_PROFILE,
    "users.created_at",
    "password_changed_at",
    f"{_SESSIONS} AS sessions",
    f"{_PASSKEYS} AS passkeys",
    "roles",
    "totp_since",
    f"{_CHANGES_BY_STAFF} AS changes_by_staff",
)
CREDENTIALS = _of_caller(
    "users.id", "username", "email", "password_hash", "password_changed_at", "totp_secret",
    f"{MAY_ADD_FACTOR} AS may_add_factor",
)  # fmt: skip


def read_profile(db: Database, *, caller: Caller) -> dict[str, Any]:
    return profile_of(_read(db, READ, caller))


def export(db: Database, *, caller: Caller) -> dict[str, Any]:
    """Return all data about the caller except hashes."""
    row = _read(db, EXPORT, caller)
    return {
        "profile": profile_of(row),
        "registered_at": row.created_at,
        "password_changed_at": row.password_changed_at,
        "sessions": row.sessions,
        "passkeys": row.passkeys,
        "roles": row.roles,
        "second_factor_since": row.totp_since,
        "changes_by_staff": row.changes_by_staff,
    }


def credentials(db: Database, *, caller: Caller) -> Row:
    return _read(db, CREDENTIALS, caller)


def profile_of(row: Row) -> dict[str, Any]:
    return {column: getattr(row, column) for column in PROFILE}


def _read(db: Database, statement: str, caller: Caller) -> Row:
    row = db.fetch_one(statement, {"session_id": caller.session_id, "user_id": caller.user_id})
    if row is None:
        raise InvalidToken
    return row
