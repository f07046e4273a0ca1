"""The statements that cancel an order: of its buyer, of staff, or of nobody, when it was not paid in time.

They lock the order, then its products in key order. What others committed while they waited for the order they see too:
`payments_of_order` has a snapshot of its own, and the lines are locked. Units that were refunded before are not
returned to stock again.
What was paid is refunded; an open payment page is closed by a job, and a payment that comes nevertheless is refunded.
"""

from __future__ import annotations

from chassis.db import audit
from chassis.db.statement import Statement
from chassis.jobs import deferred
from order_service.orders import documents, states

_BODY = """
WITH target AS (
    SELECT * FROM orders WHERE id = %(id)s AND {which} FOR NO KEY UPDATE
),
accepted AS (
    SELECT id, paid_minor - refunded_minor AS rest_minor FROM target WHERE {accepts}
),
-- Locked, because only a lock reads what others committed while this statement waited for the order.
lines AS (
    SELECT order_id, product_id, qty - refunded_qty AS units FROM order_lines
    WHERE order_id IN (SELECT id FROM accepted) FOR NO KEY UPDATE
),
shelf AS (
    SELECT products.id FROM products WHERE id IN (SELECT product_id FROM lines) ORDER BY id FOR NO KEY UPDATE
),
o AS (
    UPDATE orders SET status = 'cancelled',
        history = history || jsonb_build_object('status', 'cancelled', 'at', now()),
        refunded_minor = paid_minor,
        payment_status = CASE
            WHEN payment_status IN ({unpaid}) THEN 'failed'
            WHEN payment_status IN ({holds_money}) THEN 'refunded'
            ELSE payment_status END
    FROM accepted WHERE orders.id = accepted.id
    RETURNING orders.*
),
returned AS (
    UPDATE products SET stock = stock + units
    FROM lines JOIN o ON order_id = o.id
    WHERE products.id = product_id AND products.id IN (SELECT id FROM shelf)
    RETURNING product_id, units, order_id
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units, order_id)
    SELECT product_id, 'cancellation', units, order_id FROM returned WHERE units > 0
),
event AS (
    INSERT INTO order_events (order_id, type, status, total_minor, currency)
    SELECT id, 'order.cancelled', status, total_minor, currency FROM o
),
refund AS (
    INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason)
    SELECT order_id, payments.id, rest_minor, currency, 'cancelled'
    FROM accepted CROSS JOIN payments_of_order(accepted.id) AS payments WHERE payments.accepted AND rest_minor > 0
    RETURNING id
),
refunding AS ({refund_payment} FROM refund),
closing AS (
    {close_page}
    FROM o CROSS JOIN payments_of_order(o.id) AS payments WHERE payments.status IN ('opening', 'open')
){also}
SELECT status, payment_status, (SELECT {document} FROM o) AS document FROM target
"""
"""For the order of `which`; `also` are further CTEs, which see `target` and `o`."""


def _listed(statuses: tuple[str, ...]) -> str:
    return ", ".join(f"'{status}'" for status in statuses)


_COMMON = {
    "accepts": states.ACCEPTS,
    "unpaid": _listed(states.UNPAID),
    "holds_money": _listed(states.HOLDS_MONEY),
    "refund_payment": deferred("refund_payment", "'refund_id', id"),
    "close_page": deferred("close_payment_page", "'payment_id', payments.id"),
    "document": documents.order(),
}

CANCEL = Statement(f"""-- cancel_order
{_BODY.format(which="buyer_id = %(buyer_id)s", also="", **_COMMON)}
""")
_AUDITED = f""",
audited AS (
    {audit.INSERT} 'order.cancel', {documents.ORDER_ID}, jsonb_build_object('status', target.status),
        jsonb_build_object('status', o.status, 'reason', CAST(%(reason)s AS text))
    FROM o CROSS JOIN target
)"""
CANCEL_BY_STAFF = Statement(f"""-- cancel_order_by_staff
{_BODY.format(which="true", also=_AUDITED, **_COMMON)}
""")
EXPIRE = Statement(f"""-- expire_order
{_BODY.format(which="pay_until < now()", also="", **_COMMON)}
""")
