"""Count what the staff look after, each page with one statement."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from chassis.db.database import Database
from order_service import money
from order_service.fulfilment.queries import FILTERS, id_bounds

MOST = 1000
"""Counting ends here, so that the page is fast however much there is; today's orders are counted to the end."""
FIRST_LOW, FIRST_TO_SHIP, MOST_JOBS = 8, 8, 50

JOBS = {
    "failed": "j.status = 'failed'",
    "waiting": "j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())",
}
"""The condition of each list of jobs; one whose time has not come does not wait for a worker."""


def overview(db: Database, *, since: datetime, few: int) -> dict[str, Any]:
    """Return today's orders by currency, what waits for the staff, and the products with at most `few` units."""
    row = db.fetch_one(OVERVIEW, {**id_bounds(since, None), "since": since, "few": few, "most": MOST})
    assert row is not None  # noqa: S101 - for the types
    found: dict[str, Any] = orjson.loads(row.document)
    return found


def list_jobs(db: Database, *, status: str) -> list[dict[str, Any]]:
    """Return the newest jobs in this state."""
    return [orjson.loads(row.document) for row in db.fetch_all(_JOBS[status])]


def _count(rows: str) -> str:
    return f"(SELECT count(*) FROM (SELECT FROM {rows} LIMIT %(most)s) AS found)"


def _orders(name: str) -> str:
    return _count(f"orders o WHERE {FILTERS[name]}")


_REVENUE = """coalesce(sum(o.total_minor - o.refunded_minor) FILTER (
    WHERE o.status <> 'cancelled' AND o.payment_status NOT IN ('pending', 'failed')
), 0)"""
_TODAY = f"""coalesce((SELECT json_agg(t) FROM (
    SELECT o.currency, count(*) AS orders,
           {money.sql(_REVENUE, "o.currency")} AS revenue
    FROM orders o WHERE {FILTERS["since"]} GROUP BY o.currency ORDER BY count(*) DESC, o.currency
) AS t), '[]')"""
_TO_SHIP = f"""coalesce((SELECT json_agg(t) FROM (
    SELECT 'o-' || replace(o.id::text, '-', '') AS order_id, order_number(o.id) AS number,
           o.ship_to ->> 'recipient' AS recipient, o.email, o.placed_at
    FROM orders o WHERE {FILTERS["to_ship"]} ORDER BY o.id LIMIT {FIRST_TO_SHIP}
) AS t), '[]')"""
_LOW = f"""coalesce((SELECT json_agg(t) FROM (
    SELECT id, name, stock FROM low ORDER BY stock, position LIMIT {FIRST_LOW}
) AS t), '[]')"""

# Products have no index by stock, because every sale would change it: they are read once.
OVERVIEW = f"""
WITH low AS MATERIALIZED (
    SELECT id, name, stock, position FROM products WHERE active AND stock <= %(few)s
)
SELECT json_build_object(
    'today', {_TODAY}, 'first_to_ship', {_TO_SHIP}, 'first_low', {_LOW},
    'to_ship', {_orders("to_ship")}, 'unpaid', {_orders("unpaid")},
    'refunds_failed', {_orders("refund_failed")}, 'mails_refused', {_orders("mail_refused")},
    'low', {_count("low")},
    'jobs_waiting', {_count(f"procrastinate_jobs j WHERE {JOBS['waiting']}")},
    'jobs_failed', {_count(f"procrastinate_jobs j WHERE {JOBS['failed']}")}
)::text AS document
"""
_JOBS = {
    status: f"""
SELECT json_build_object('id', j.id, 'task', j.task_name, 'ids', j.args, 'attempts', j.attempts,
    'at', (SELECT max(at) FROM procrastinate_events WHERE job_id = j.id))::text AS document
FROM procrastinate_jobs j WHERE {condition} ORDER BY j.id DESC LIMIT {MOST_JOBS}
"""
    for status, condition in JOBS.items()
}
