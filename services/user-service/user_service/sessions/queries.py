"""Read live sessions and the feed of ended ones."""

from __future__ import annotations

from typing import Any

from chassis.context import Caller
from chassis.db.database import Database
from chassis.problems import InvalidToken

LIVE = """
SELECT id, user_agent AS device, created_at, last_used_at, id = %(session_id)s AS current
FROM sessions WHERE user_id = %(user_id)s AND ended_at IS NULL AND expires_at > now() ORDER BY id DESC
"""
GOES_ON = "SELECT FROM sessions WHERE id = %(session_id)s AND ended_at IS NULL"
ENDINGS = """
SELECT version, at, session_id, user_id FROM endings WHERE version > %(after)s ORDER BY version LIMIT %(limit)s
"""


def list_sessions(db: Database, *, caller: Caller) -> list[dict[str, Any]]:
    """Return the caller's live sessions, newest first; raise InvalidToken when the caller's own has ended."""
    rows = db.fetch_all(LIVE, {"user_id": caller.user_id, "session_id": caller.session_id})
    if not any(row.current for row in rows):
        raise InvalidToken
    return [row._asdict() for row in rows]


def has_ended(db: Database, session_id: str) -> bool:
    """Tell whether a session has ended, or never was."""
    return db.fetch_one(GOES_ON, {"session_id": session_id}) is None


def list_endings(db: Database, *, after: int, limit: int) -> dict[str, Any]:
    """Return the ended sessions and erased accounts after a version, oldest first, and the last version."""
    endings = [row._asdict() for row in db.fetch_all(ENDINGS, {"after": after, "limit": limit})]
    return {"version": endings[-1]["version"] if endings else after, "endings": endings}
