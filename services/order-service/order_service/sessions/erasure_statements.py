"""The statements that erase the orders of deleted accounts."""

from __future__ import annotations

from chassis.db.statement import Statement
from order_service.orders.documents import ORDER_ID

_OF_BUYERS = "o.buyer_id = ANY (CAST(%(buyer_ids)s AS text[]))"

# Receipt and key are erased too: they may hold a name.
ORDERS = Statement(f"""-- erase_orders
UPDATE orders AS o SET buyer_name = NULL, ship_to = NULL, receipt = NULL, fingerprint = NULL, idempotency_key = NULL,
    email = NULL, email_refused_at = NULL, shipment = NULL
WHERE {_OF_BUYERS} AND num_nonnulls(
    buyer_name, ship_to, receipt, idempotency_key, email, email_refused_at, shipment) > 0
""")
# Staff write an order's address and email into the entries of its changes.
AUDIT = Statement(f"""-- erase_audit_entries_of_orders
UPDATE audit_entries SET before = NULL, after = NULL
FROM orders AS o WHERE {_OF_BUYERS} AND subject = {ORDER_ID} AND num_nonnulls(before, after) > 0
""")
# A page that is closed may still report a payment, no later than a day after it was opened. A paid order that is not
# yet shipped may be cancelled, and the money goes back by the payment's reference.
_OVER = """(p.status = 'paid' OR p.status IN ('failed', 'expired') AND p.created_at < now() - interval '2 days')
    AND NOT (p.accepted AND o.status = 'placed' AND o.payment_status IN ('paid', 'partially_refunded'))
    AND NOT EXISTS (SELECT FROM refunds WHERE payment_id = p.id AND refunds.status = 'pending')"""
_PAYMENT_HOLDS = "num_nonnulls(p.provider_id, p.reference, p.url) > 0"
_REFUND_HOLDS = "num_nonnulls(r.provider_id, r.failure, r.idempotency_key, r.fingerprint) > 0"

# Whoever asks for a refund or applies a payment locks the order first, so the next statement sees all of them.
LOCK = f"""
SELECT o.id FROM orders o WHERE {_OF_BUYERS} AND (
    EXISTS (SELECT FROM payments p WHERE p.order_id = o.id AND {_PAYMENT_HOLDS} AND {_OVER})
    OR EXISTS (
        SELECT FROM payments p JOIN refunds r ON r.payment_id = p.id
        WHERE p.order_id = o.id AND r.status <> 'pending' AND {_REFUND_HOLDS}
    )
)
ORDER BY o.id FOR NO KEY UPDATE OF o
"""
PAYMENTS = Statement(f"""-- erase_payments
WITH over AS (
    SELECT p.id, p.provider_id FROM payments p JOIN orders o ON o.id = p.order_id
    WHERE o.id = ANY (CAST(%(order_ids)s AS uuid[])) AND {_PAYMENT_HOLDS} AND {_OVER}
),
pages AS (
    DELETE FROM test_payment_pages USING over WHERE payment_id = over.id
)
UPDATE payments SET provider_id = NULL, reference = NULL, url = NULL FROM over WHERE payments.id = over.id
""")
REFUNDS = Statement(f"""-- erase_refunds
UPDATE refunds AS r SET provider_id = NULL, failure = NULL, idempotency_key = NULL, fingerprint = NULL
FROM payments p
WHERE p.order_id = ANY (CAST(%(order_ids)s AS uuid[])) AND p.id = r.payment_id AND r.status <> 'pending'
    AND {_REFUND_HOLDS}
""")
