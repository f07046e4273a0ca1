"""SQL expressions of the log of order events."""

from __future__ import annotations

from order_service import money

START = ("0", "00000000-0000-0000-0000-000000000000")
"""The position before the first event, as xid and id."""

SETTLED = "xid < pg_snapshot_xmin(pg_current_snapshot())"
"""Tell whether all transactions up to that of an event have ended."""

OF_ANOTHER_SERVER = "EXISTS (SELECT FROM order_events WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()))"
"""Tell whether the log has transactions that this server has not begun: it came from a dump of another one."""


def event(row: str) -> str:
    """Return the SQL expression of the JSON document of an event."""
    return f"""json_build_object(
    'id', 'e-' || replace({row}.id::text, '-', ''),
    'type', {row}.type,
    'timestamp', {row}.at,
    'data', json_build_object(
        'order_id', 'o-' || replace({row}.order_id::text, '-', ''),
        'status', {row}.status,
        'total', {money.sql(f"{row}.total_minor")},
        'currency', {row}.currency
    ))::text"""
