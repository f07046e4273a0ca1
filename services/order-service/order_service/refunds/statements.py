"""The statements of a refund, which run in one transaction behind the lock of the order.

What the second and later ones read includes all that was committed while the first waited for that lock.
"""

from __future__ import annotations

from chassis.db import audit
from chassis.db.statement import Statement
from chassis.jobs import deferred
from order_service import money
from order_service.orders import documents, sold

LOCK = "SELECT id FROM orders WHERE id = %(id)s FOR NO KEY UPDATE"

# The first answer, whatever has become of the refund since.
_DOCUMENT = f"""to_json((SELECT d FROM (SELECT
    'r-' || replace(refund.id::text, '-', '') AS refund_id,
    'o-' || replace(refund.order_id::text, '-', '') AS order_id,
    {money.sql("refund.amount_minor", "refund.currency")} AS amount, refund.currency, 'pending' AS status,
    CASE WHEN refund.lines IS NOT NULL THEN
        jsonb_path_query_array(refund.lines, '$[*] ? (@.line > {sold.SHIPPING})') END AS lines,
    coalesce(refund.lines @> '[{{"line": {sold.SHIPPING}}}]', false) AS shipping, refund.created_at
) AS d))::text"""

EARLIER = f"""
SELECT {_DOCUMENT} AS document, fingerprint FROM refunds AS refund
WHERE order_id = %(id)s AND idempotency_key = %(key)s
"""

# A refund of the order is requested anew instead. Of a payment that was not accepted one refund at a time is under way.
RETRIABLE = """failed.status = 'failed' AND failed.reason NOT IN ('requested', 'cancelled')
    AND NOT EXISTS (SELECT FROM refunds r WHERE r.payment_id = failed.payment_id AND r.status <> 'failed')"""
_REFUND_ID = "'r-' || replace(refund.id::text, '-', '')"

SOLD = f"""
SELECT o.status, o.payment_status, o.currency, o.paid_minor - o.refunded_minor AS rest,
       {sold.SHIPPING_TOTAL} AS shipping, {sold.SHIPPING_IS_REFUNDED} AS shipping_is_refunded
FROM orders o WHERE o.id = %(id)s
"""

LINES = f"""
SELECT l.line, l.product_id, l.qty, l.refunded_qty, {sold.LINE_TOTAL} AS total
FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.id = %(id)s ORDER BY l.line
"""

# A cancelled order has returned its units to the stock already.
REQUEST = Statement(f"""-- request_refund
WITH refund AS (
    INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason, lines, idempotency_key, fingerprint)
    SELECT order_id, id, %(amount)s, currency, 'requested', CAST(%(shown)s AS jsonb), %(key)s, %(fingerprint)s
    FROM payments WHERE order_id = %(id)s AND accepted
    RETURNING *
),
target AS (
    SELECT orders.* FROM orders JOIN refund ON orders.id = order_id
),
o AS (
    UPDATE orders SET refunded_minor = orders.refunded_minor + amount_minor,
        payment_status = CASE WHEN orders.refunded_minor + amount_minor < orders.paid_minor
            THEN 'partially_refunded' ELSE 'refunded' END
    FROM refund WHERE orders.id = order_id RETURNING orders.*
),
returned AS (
    UPDATE order_lines SET refunded_qty = refunded_qty + units
    FROM o, unnest(CAST(%(lines)s AS smallint[]), CAST(%(units)s AS integer[])) AS wanted(number, units)
    WHERE order_id = o.id AND line = number
    RETURNING order_id, product_id, units
),
shelf AS (
    SELECT products.id FROM products
    WHERE %(restock)s AND id IN (SELECT product_id FROM returned JOIN o ON o.id = order_id WHERE status <> 'cancelled')
    ORDER BY id FOR NO KEY UPDATE
),
restocked AS (
    UPDATE products SET stock = stock + units FROM returned
    WHERE products.id = product_id AND products.id IN (SELECT id FROM shelf)
    RETURNING product_id, units, order_id
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units, order_id)
    SELECT product_id, 'refund', units, order_id FROM restocked
),
queued AS ({deferred("refund_payment", "'refund_id', id")} FROM refund),
audited AS (
    {audit.INSERT} 'order.refund', {documents.ORDER_ID}, jsonb_build_object('payment_status', target.payment_status),
        jsonb_build_object('payment_status', o.payment_status, 'reason', CAST(%(reason)s AS text),
            'amount', {money.sql("amount_minor", "o.currency")}, 'restock', EXISTS (SELECT FROM restocked),
            'refund_id', {_REFUND_ID})
    FROM o CROSS JOIN target CROSS JOIN refund
)
SELECT {_DOCUMENT} AS document FROM refund
""")

# A new refund: the provider answers the idempotency key of the failed one with the old failure.
RETRY = Statement(f"""-- retry_refund
WITH refund AS (
    INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason)
    SELECT order_id, payment_id, amount_minor, currency, reason FROM refunds AS failed
    WHERE id = %(refund_id)s AND order_id = %(id)s AND {RETRIABLE}
    RETURNING *
),
queued AS ({deferred("refund_payment", "'refund_id', id")} FROM refund),
audited AS (
    {audit.INSERT} 'order.retry_refund', {documents.ORDER_ID}, CAST(NULL AS jsonb),
        jsonb_build_object('amount', {money.sql("amount_minor", "refund.currency")}, 'refund_id', {_REFUND_ID})
    FROM orders o JOIN refund ON o.id = order_id
)
SELECT {_DOCUMENT} AS document FROM refund
""")
FIND = f"""
SELECT status, reason, (
    SELECT {_DOCUMENT} FROM refunds AS refund
    WHERE refund.payment_id = asked.payment_id AND refund.status <> 'failed' AND asked.status = 'failed'
        AND asked.reason NOT IN ('requested', 'cancelled')
) AS later
FROM refunds AS asked WHERE id = %(refund_id)s AND order_id = %(id)s
"""
