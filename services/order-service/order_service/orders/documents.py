"""SQL expressions with which statements return an order as JSON."""

from __future__ import annotations

from order_service import money

ORDER_ID = "'o-' || replace(o.id::text, '-', '')"
"""The public id of the order in the row `o`."""

WRITTEN_LINES = "(SELECT * FROM order_lines WHERE order_id = o.id)"


def order(lines: str = WRITTEN_LINES) -> str:
    """Return the SQL expression of the JSON document of the order row `o` with the lines of `lines`."""
    return f"""to_json((SELECT d FROM (SELECT
    {ORDER_ID} AS order_id,
    o.buyer_name AS "user",
    o.status,
    (SELECT array_agg(i) FROM (
        SELECT product_id, name, {money.sql("unit_price_minor", "o.currency")} AS unit_price, qty,
               {money.sql("unit_price_minor * qty", "o.currency")} AS line_total
        FROM {lines} AS l ORDER BY line
    ) AS i) AS items,
    o.currency,
    {money.sql("o.total_minor", "o.currency")} AS total,
    o.ship_to,
    o.placed_at,
    (SELECT array_agg(h) FROM jsonb_to_recordset(o.history) AS h(status text, at timestamptz)) AS history
) AS d))::text"""
