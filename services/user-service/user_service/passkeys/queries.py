"""Read the caller's passkeys."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.context import Caller
from chassis.db.database import Database, Row
from chassis.problems import NotFound

LIST = """
SELECT credential_id, name, created_at, last_used_at FROM passkeys WHERE user_id = %(user_id)s ORDER BY created_at
"""
FIND = """
SELECT credential_id, name, created_at, last_used_at FROM passkeys
WHERE credential_id = %(credential_id)s AND user_id = %(user_id)s
"""


def list_passkeys(db: Database, *, caller: Caller) -> Sequence[Row]:
    """Return the caller's passkeys, oldest first."""
    return db.fetch_all(LIST, {"user_id": caller.user_id})


def find_passkey(db: Database, *, caller: Caller, credential_id: bytes) -> Row:
    """Return one of the caller's passkeys; raise NotFound."""
    row = db.fetch_one(FIND, {"credential_id": credential_id, "user_id": caller.user_id})
    if row is None:
        raise NotFound
    return row
