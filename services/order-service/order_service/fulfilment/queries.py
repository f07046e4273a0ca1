"""Find and read all orders, for staff; PostgreSQL writes the JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from chassis.db.database import Database
from chassis.http.pagination import BadCursor, decode_cursor, encode_cursor
from chassis.problems import NotFound
from order_service.fulfilment import numbers
from order_service.fulfilment.documents import STAFF_ORDER
from order_service.orders import states
from order_service.orders.documents import ORDER_ID
from order_service.orders.queries import order_key

_SHIP = states.ACTIONS["ship"]


def _any_of(values: Sequence[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


# The name is compared byte by byte, as its index is; U+10FFFF is behind everything that the name begins.
FILTERS = {
    "number": "order_number(o.id) = %(number)s",
    "email": "o.email IS NOT NULL AND lower(o.email) = lower(CAST(%(email)s AS text))",
    "name": "o.ship_to IS NOT NULL AND lower(o.ship_to ->> 'recipient') ~>=~ lower(CAST(%(name)s AS text))"
    " AND lower(o.ship_to ->> 'recipient') ~<~ (lower(CAST(%(name)s AS text)) || U&'\\+10FFFF')",
    "user_id": "o.buyer_id = %(user_id)s",
    "status": "o.status = %(status)s",
    "payment": "o.payment_status = %(payment)s",
    "since": "o.placed_at >= %(since)s AND o.id >= %(first)s",
    "until": "o.placed_at < %(until)s AND o.id < %(last)s",
    "to_ship": f"o.status IN ({_any_of(_SHIP.statuses)}) AND o.payment_status IN ({_any_of(_SHIP.payments)})",
    "unpaid": f"o.status = 'placed' AND o.payment_status IN ({_any_of(states.UNPAID)})",
    "mail_refused": "o.email_refused_at IS NOT NULL AND o.status IN ('placed', 'shipped')",
    "refund_failed": "o.id IN (SELECT order_id FROM refunds WHERE status = 'failed'"
    " AND created_at > now() - interval '30 days')",
    "after": "o.id < %(after)s",
}
"""The condition of each parameter of a list."""

# Few orders have them, which the planner does not know of a parameter: it would look through all orders, newest first,
# for a page of them. OFFSET 0 makes it find them all by their index, then sort.
_SELECTIVE = {"number", "email", "name"}

# An id is made some seconds after `placed_at`, which is the beginning of the transaction.
_APART = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def list_orders(
    db: Database, *, filters: Mapping[str, Any], limit: int, after: str | None
) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page, newest first, and the cursor of the next page, None on the last.

    The filters are those of FILTERS; one that is None does not apply.
    """
    asked = {name: value for name, value in filters.items() if value is not None}
    if "number" in asked:
        asked["number"] = numbers.read(asked["number"])
        if asked["number"] is None:
            return [], None
    if after is not None:
        asked["after"] = _last_seen(after)
    parameters = {**asked, **id_bounds(asked.get("since"), asked.get("until")), "limit": limit + 1}
    rows = db.fetch_all(_page(tuple(asked)), parameters)
    next_cursor = encode_cursor(rows[limit - 1].id.hex) if len(rows) > limit else None
    return [row.document for row in rows[:limit]], next_cursor


def get_order(db: Database, *, order_id: str) -> str:
    """Return the document of an order."""
    row = db.fetch_one(ONE, {"id": order_key(order_id)})
    if row is None:
        raise NotFound
    return str(row.document)


def id_bounds(since: datetime | None, until: datetime | None) -> dict[str, UUID]:
    """Return ids between which the orders placed in this time are, so that the primary key finds them."""
    bounds = {"first": (since, -_APART), "last": (until, _APART)}
    return {name: _first_id(moment - _EPOCH + apart) for name, (moment, apart) in bounds.items() if moment}


def _first_id(age: timedelta) -> UUID:
    """Return the lowest UUIDv7 of a moment, as time since 1970."""
    milliseconds = min(max(age // timedelta(milliseconds=1), 0), 2**48 - 1)
    return UUID(int=milliseconds << 80)


def _last_seen(cursor: str) -> UUID:
    try:
        return UUID(*decode_cursor(cursor, str))
    except ValueError as failure:
        raise BadCursor from failure


@cache
def _page(filters: tuple[str, ...]) -> str:
    where = " AND ".join(FILTERS[name] for name in filters) or "true"
    found = f"SELECT * FROM orders o WHERE {where}{' OFFSET 0' if _SELECTIVE & set(filters) else ''}"
    return f"SELECT o.id, {STAFF_ORDER} AS document FROM ({found}) AS o ORDER BY o.id DESC LIMIT %(limit)s"


ONE = f"SELECT {STAFF_ORDER} AS document FROM orders o WHERE o.id = %(id)s"
COUNT = "SELECT count(*) AS orders FROM (SELECT FROM orders o WHERE {where} LIMIT %(most)s) AS found"
RATES = """
SELECT DISTINCT rate FROM orders o CROSS JOIN jsonb_to_recordset(o.tax) AS t(rate numeric)
WHERE {where} ORDER BY rate DESC
"""
EXPORTED = f"""
SELECT o.id, order_number(o.id) AS number, {ORDER_ID} AS order_id, placed_at, status, payment_status,
       ship_to ->> 'country' AS country, currency, shipping_minor, prices_include_tax, tax_minor, tax, total_minor,
       paid_minor, refunded_minor
FROM orders o WHERE {{where}} AND o.id > %(after)s ORDER BY o.id LIMIT %(step)s
"""
