"""SQL expressions with which statements return an order as staff see it."""

from __future__ import annotations

from order_service import money
from order_service.orders import documents, sold
from order_service.refunds import statements


def _amount(minor: str, currency: str = "o.currency") -> str:
    return money.sql(minor, currency)


_LINES = f"""coalesce((SELECT array_to_json(array_agg(i)) FROM (
    SELECT line, product_id, name, qty, refunded_qty, {_amount(sold.LINE_TOTAL)} AS total
    FROM order_lines AS l WHERE order_id = o.id ORDER BY line
) AS i), '[]')"""

_REFUNDABLE = f"""(SELECT r FROM (SELECT
    {_amount("o.paid_minor - o.refunded_minor")} AS amount,
    {_amount(f"CASE WHEN {sold.SHIPPING_IS_REFUNDED} THEN 0 ELSE {sold.SHIPPING_TOTAL} END")} AS shipping
) AS r)"""

_PAYMENTS = f"""coalesce((SELECT array_to_json(array_agg(p)) FROM (
    SELECT 'p-' || replace(id::text, '-', '') AS payment_id, provider, reference, status, accepted,
           {_amount("amount_minor", "currency")} AS amount, currency,
           {_amount("paid_minor", "paid_currency")} AS paid, paid_currency, created_at, paid_at
    FROM payments WHERE order_id = o.id ORDER BY id
) AS p), '[]')"""

_REFUNDS = f"""coalesce((SELECT array_to_json(array_agg(r)) FROM (
    SELECT 'r-' || replace(id::text, '-', '') AS refund_id, 'p-' || replace(payment_id::text, '-', '') AS payment_id,
           {_amount("amount_minor", "currency")} AS amount, currency, reason, status, failure,
           CASE WHEN lines IS NOT NULL THEN
               jsonb_path_query_array(lines, '$[*] ? (@.line > {sold.SHIPPING})') END AS lines,
           coalesce(lines @> '[{{"line": {sold.SHIPPING}}}]', false) AS shipping, created_at, finished_at,
           {statements.RETRIABLE} AS retriable
    FROM refunds AS failed WHERE order_id = o.id ORDER BY id
) AS r), '[]')"""

_MORE = f"""to_json((SELECT d FROM (SELECT
    o.buyer_id AS user_id, o.email_refused_at, {_LINES} AS lines, {_REFUNDABLE} AS refundable,
    {_PAYMENTS} AS payments, {_REFUNDS} AS refunds
) AS d))::text"""

STAFF_ORDER = f"left({documents.order()}, -1) || ',' || substr({_MORE}, 2)"
"""The order of the row `o`, with what its customer is not shown."""
