"""SQL expressions with which statements return an order as JSON."""

from __future__ import annotations

from order_service import money
from order_service.checkout import pricing

ORDER_ID = "'o-' || replace(o.id::text, '-', '')"
"""The public id of the order in the row `o`."""

WRITTEN_LINES = "(SELECT * FROM order_lines WHERE order_id = o.id)"


def order(lines: str = WRITTEN_LINES) -> str:
    """Return the SQL expression of the JSON document of the order row `o` with the lines of `lines`."""
    return f"""to_json((SELECT d FROM {_UNIT} CROSS JOIN LATERAL (SELECT
    {ORDER_ID} AS order_id,
    order_number(o.id) AS number,
    o.buyer_name AS "user",
    o.status,
    (SELECT array_agg(i) FROM (
        SELECT product_id, name, {_amount("unit_price_minor")} AS unit_price, qty,
               {_amount("unit_price_minor * qty")} AS line_total
        FROM {lines} AS l ORDER BY line
    ) AS i) AS items,
    o.currency,
    {pricing.shipping("o", "per.unit")} AS shipping,
    {pricing.tax("o", "o.prices_include_tax", "per.unit")} AS tax,
    {_amount("o.total_minor")} AS total,
    o.email,
    o.ship_to,
    (SELECT p FROM (SELECT
        o.payment_status AS status, o.pay_until,
        {_amount("o.paid_minor")} AS paid, {_amount("o.refunded_minor")} AS refunded
    ) AS p) AS payment,
    o.shipment,
    o.placed_at,
    (SELECT array_agg(h) FROM jsonb_to_recordset(o.history) AS h(status text, at timestamptz)) AS history
) AS d))::text"""


# OFFSET 0 keeps the planner from computing it for each amount anew.
_UNIT = f"(SELECT {money.unit('o.currency')} AS unit OFFSET 0) AS per"


def _amount(minor: str) -> str:
    return f"({minor}) * per.unit"


PAYMENTS = f"""coalesce((SELECT json_agg(d ORDER BY d.created_at) FROM (
    SELECT p.provider, p.provider_id, p.reference, p.status, p.accepted, {money.sql("p.amount_minor", "p.currency")}
        AS amount, p.currency, p.created_at, p.paid_at
    FROM payments p WHERE p.order_id = o.id
) AS d), '[]')"""
"""The payments of the order row `o`, for its buyer's export."""

REFUNDS = f"""coalesce((SELECT json_agg(d ORDER BY d.created_at) FROM (
    SELECT {money.sql("r.amount_minor", "r.currency")} AS amount, r.currency, r.reason, r.status, r.provider_id,
        r.created_at, r.finished_at
    FROM payments p JOIN refunds r ON r.payment_id = p.id WHERE p.order_id = o.id
) AS d), '[]')"""
"""The same of its refunds."""
