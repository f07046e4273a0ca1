"""Read the caller's own orders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from uuid import UUID

from chassis.db.database import Database
from chassis.http.pagination import BadCursor, decode_cursor, encode_cursor
from chassis.problems import NotFound
from order_service.orders import documents

_ORDER_ID = re.compile(r"o-([0-9a-f]{32})")


def order_key(order_id: str) -> UUID:
    """Return the UUID of a public order id; raise NotFound for malformed ids."""
    match = _ORDER_ID.fullmatch(order_id)
    if match is None:
        raise NotFound
    return UUID(match[1])


def get_order(db: Database, *, buyer_id: str, order_id: str) -> str:
    row = db.fetch_one(ONE, {"id": order_key(order_id), "buyer_id": buyer_id})
    if row is None:
        raise NotFound
    return str(row.document)


def export(db: Database, *, buyer_id: str) -> str:
    """Return a JSON document of all data about a buyer."""
    row = db.fetch_one(EXPORT, {"buyer_id": buyer_id})
    return str(row.document) if row else ""


def list_orders(
    db: Database, *, buyer_id: str, status: str | None, limit: int, after: str | None
) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page, newest first, and the cursor of the next page, None on the last."""
    parameters = {
        "buyer_id": buyer_id,
        "status": status,
        "limit": limit + 1,
        "after": None if after is None else _last_seen(after),
    }
    rows = db.fetch_all(_page(filtered=status is not None, continued=after is not None), parameters)
    next_key = encode_cursor(rows[limit - 1].id.hex) if len(rows) > limit else None
    return [row.document for row in rows[:limit]], next_key


def _last_seen(key: str) -> UUID:
    try:
        return UUID(*decode_cursor(key, str))
    except ValueError as failure:
        raise BadCursor from failure


@cache
def _page(*, filtered: bool, continued: bool) -> str:
    where = "o.buyer_id = %(buyer_id)s"
    where += " AND o.status = %(status)s" if filtered else ""
    where += " AND o.id < %(after)s" if continued else ""
    return f"SELECT o.id, {documents.order()} AS document FROM orders o WHERE {where} ORDER BY id DESC LIMIT %(limit)s"


EXPORT = f"""
SELECT json_build_object('user_id', CAST(%(buyer_id)s AS text), 'orders', coalesce(json_agg(
    {documents.order()}::jsonb || jsonb_build_object(
        'idempotency_key', o.idempotency_key, 'email_refused_at', o.email_refused_at,
        'payments', {documents.PAYMENTS}, 'refunds', {documents.REFUNDS}
    ) ORDER BY o.id
), '[]'))::text AS document
FROM orders o WHERE o.buyer_id = %(buyer_id)s
"""
ONE = f"SELECT {documents.order()} AS document FROM orders o WHERE o.id = %(id)s AND o.buyer_id = %(buyer_id)s"
