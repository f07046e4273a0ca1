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
    return f"""to_json((SELECT d FROM (SELECT
    'e-' || replace({row}.id::text, '-', '') AS id,
    {row}.type,
    {row}.at AS timestamp,
    (SELECT o FROM (SELECT
        'o-' || replace({row}.order_id::text, '-', '') AS order_id,
        {row}.status,
        {money.sql(f"{row}.total_minor", f"{row}.currency")} AS total,
        {row}.currency,
        {money.sql(f"{row}.amount_minor", f"{row}.currency")} AS amount
    ) AS o) AS data
) AS d))::text"""
