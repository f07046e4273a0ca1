"""Find customers and their live sessions."""

from __future__ import annotations

from typing import Any

from chassis.db.database import Database
from chassis.problems import NotFound

COLUMNS = """id, username, name, email, phone, shipping_address, created_at AS registered_at, disabled_at, roles,
    totp_since AS second_factor_since"""
ONE = f"SELECT {COLUMNS} FROM users WHERE id = %(customer_id)s AND deleted_at IS NULL"
# A part of a text is found by reading all customers, newest first, which a page of matches ends early.
MATCHES = """(
    id = %(q)s OR username ILIKE %(part)s OR name ILIKE %(part)s OR email ILIKE %(part)s
)"""
LIST = f"""
SELECT {COLUMNS} FROM users WHERE deleted_at IS NULL AND {{conditions}} ORDER BY id DESC LIMIT %(limit)s
"""
SESSIONS = """
SELECT sessions.id, user_agent AS device, sessions.created_at, last_used_at, second_factor
FROM users LEFT JOIN sessions ON user_id = users.id AND ended_at IS NULL AND expires_at > now()
WHERE users.id = %(customer_id)s AND deleted_at IS NULL ORDER BY sessions.id DESC
"""


def show_customer(db: Database, *, customer_id: str) -> dict[str, Any]:
    row = db.fetch_one(ONE, {"customer_id": customer_id})
    if row is None:
        raise NotFound
    found: dict[str, Any] = row._asdict()
    return found


def list_customers(
    db: Database, *, q: str | None, limit: int, after: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page of customers, newest first, and the id after which the next page begins, None on the last."""
    part = "%" + "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in q or "") + "%"
    given = {MATCHES: q, "id < %(after)s": after}
    conditions = " AND ".join(condition for condition, value in given.items() if value) or "true"
    parameters = {"q": q, "part": part, "after": after, "limit": limit + 1}
    rows = db.fetch_all(LIST.format(conditions=conditions), parameters)
    return [row._asdict() for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None


def list_sessions(db: Database, *, customer_id: str) -> list[dict[str, Any]]:
    """Return the live sessions of a customer, newest first; raise NotFound."""
    rows = db.fetch_all(SESSIONS, {"customer_id": customer_id})
    if not rows:
        raise NotFound
    return [row._asdict() for row in rows if row.id]
