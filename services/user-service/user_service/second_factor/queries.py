"""Read the state of the caller's second factor; raise InvalidToken when the session has ended."""

from __future__ import annotations

from typing import Any

from chassis.context import Caller
from chassis.db.database import Database, Row
from chassis.problems import InvalidToken
from user_service.second_factor.statements import STATE


def read_state(db: Database, *, caller: Caller) -> Row:
    row = db.fetch_one(STATE, {"session_id": caller.session_id, "user_id": caller.user_id})
    if row is None:
        raise InvalidToken
    return row


def show_state(db: Database, *, caller: Caller) -> dict[str, Any]:
    """Return since when the second factor is on, and how many recovery codes are left."""
    row = read_state(db, caller=caller)
    return {"since": row.since, "recovery_codes_left": row.recovery_codes_left}
