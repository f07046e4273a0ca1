"""Read webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.db.database import Database
from chassis.http.pagination import BadCursor, decode_cursor, encode_cursor
from chassis.problems import NotFound
from order_service.webhooks import documents

ALL = f"SELECT {documents.WEBHOOK} AS document FROM webhooks AS w ORDER BY w.id"
DELIVERIES = f"""
SELECT w.id, d.event_id, {documents.DELIVERY} AS document
FROM webhooks AS w LEFT JOIN LATERAL (
    SELECT * FROM webhook_deliveries
    WHERE webhook_id = w.id AND {{conditions}} ORDER BY event_id DESC LIMIT %(limit)s
) AS d ON TRUE
WHERE w.id = %(webhook_id)s ORDER BY d.event_id DESC
"""
DUE = """
SELECT id FROM webhooks AS w
WHERE active AND rests_until <= now() AND EXISTS (
    SELECT FROM webhook_deliveries WHERE webhook_id = w.id AND status = 'waiting' AND attempt_at <= now()
)
ORDER BY id
"""


def list_webhooks(db: Database) -> list[str]:
    """Return the documents of all webhooks, oldest first."""
    return [row.document for row in db.fetch_all(ALL)]


def list_deliveries(
    db: Database, *, webhook_id: UUID, status: str | None, limit: int, after: str | None
) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page, the newest event first, and the cursor of the next page, None on the last."""
    conditions = "true" if status is None else "status = %(status)s"
    conditions += "" if after is None else " AND event_id < %(after)s"
    parameters = {"webhook_id": webhook_id, "status": status, "limit": limit + 1, "after": after and _last_seen(after)}
    rows = db.fetch_all(DELIVERIES.format(conditions=conditions), parameters)
    if not rows:
        raise NotFound
    found = [row for row in rows if row.event_id]
    following = encode_cursor(found[limit - 1].event_id.hex) if len(found) > limit else None
    return [row.document for row in found[:limit]], following


def _last_seen(key: str) -> UUID:
    try:
        return UUID(*decode_cursor(key, str))
    except ValueError as failure:
        raise BadCursor from failure
