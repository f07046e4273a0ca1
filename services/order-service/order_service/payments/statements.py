"""The statements of payments and refunds.

Each runs in a transaction that has locked the order before, so that its snapshot is of after the wait for the lock.
"""

from __future__ import annotations

from chassis.db.statement import Statement
from chassis.jobs import deferred
from order_service.orders import states

LOCK_TO_PAY = f"""
SELECT status, payment_status, {states.ACCEPTS} AND now() < pay_until AS is_payable
FROM orders WHERE id = %(order_id)s AND buyer_id = %(buyer_id)s FOR NO KEY UPDATE
"""
OPEN_PAYMENT = Statement("""-- open_payment
WITH made AS (
    INSERT INTO payments (order_id, provider, amount_minor, currency)
    SELECT id, %(provider)s, total_minor, currency FROM orders WHERE id = %(order_id)s
    ON CONFLICT (order_id) WHERE status IN ('opening', 'open') DO NOTHING
    RETURNING id
)
SELECT id FROM made
UNION ALL SELECT id FROM payments WHERE order_id = %(order_id)s AND status IN ('opening', 'open')
""")
# Alone. Another request may have stored the same page, a job may have closed it: then no row is returned.
STORE_PAGE = Statement("""-- store_payment_page
UPDATE payments
SET status = 'open', provider_id = coalesce(provider_id, %(provider_id)s), url = coalesce(url, %(url)s)
WHERE id = %(payment_id)s AND status IN ('opening', 'open')
RETURNING provider_id, url
""")

LOCK_ORDER = """
SELECT id FROM orders WHERE id = (SELECT order_id FROM payments WHERE id = %(payment_id)s) FOR NO KEY UPDATE
"""
LOCK_PAYMENT = """
SELECT p.status, p.amount_minor, p.currency, o.status AS order_status, o.payment_status
FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.id = %(payment_id)s FOR NO KEY UPDATE OF p
"""
# A page that was failed before may be paid after all while another one is open: that one is closed.
ACCEPT = Statement(f"""-- accept_payment
WITH payment AS (
    UPDATE payments SET status = 'paid', accepted = true, reference = %(reference)s,
        paid_minor = %(amount_minor)s, paid_currency = %(currency)s, paid_at = now()
    WHERE id = %(payment_id)s RETURNING id, order_id, paid_minor
),
o AS (
    UPDATE orders SET payment_status = 'paid', paid_minor = payment.paid_minor
    FROM payment WHERE orders.id = order_id
    RETURNING orders.*
),
closing AS (
    {deferred("close_payment_page", "'payment_id', payments.id")}
    FROM payments JOIN payment USING (order_id)
    WHERE payments.id <> payment.id AND payments.status IN ('opening', 'open')
)
INSERT INTO order_events (order_id, type, status, total_minor, currency, amount_minor)
SELECT id, 'order.paid', status, total_minor, currency, paid_minor FROM o
""")
RETURN = Statement(f"""-- return_payment
WITH payment AS (
    UPDATE payments SET status = 'paid', reference = %(reference)s,
        paid_minor = %(amount_minor)s, paid_currency = %(currency)s, paid_at = now()
    WHERE id = %(payment_id)s RETURNING id, order_id, paid_minor, paid_currency
),
refund AS (
    INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason)
    SELECT order_id, id, paid_minor, paid_currency, %(reason)s FROM payment WHERE paid_minor > 0
    RETURNING id
)
{deferred("refund_payment", "'refund_id', id")} FROM refund
""")
FAIL = Statement("""-- fail_payment
WITH payment AS (
    UPDATE payments SET status = 'failed' WHERE id = %(payment_id)s RETURNING order_id
)
UPDATE orders SET payment_status = 'failed'
FROM payment WHERE orders.id = order_id AND orders.status = 'placed' AND payment_status = 'pending'
""")
EXPIRE = Statement("""-- expire_payment
UPDATE payments SET status = 'expired' WHERE id = %(payment_id)s
""")

STORE_EVENT = Statement("""-- store_payment_event
INSERT INTO payment_events (provider, event_id, payment_id, type, outcome)
VALUES (%(provider)s, %(event_id)s,
    (SELECT id FROM payments WHERE provider = %(provider)s AND provider_id = %(provider_id)s), %(type)s, 'received')
ON CONFLICT DO NOTHING
RETURNING payment_id
""")
NOTE_OUTCOME = Statement("""-- note_outcome_of_payment_event
UPDATE payment_events SET outcome = %(outcome)s WHERE provider = %(provider)s AND event_id = %(event_id)s
""")

# Alone. The pauses double with the payment's age, from two minutes to an hour.
CLAIM_TO_ASK = Statement("""-- claim_payment_to_ask
UPDATE payments
SET ask_at = now() + least(greatest(now() - created_at, interval '2 minutes'), interval '1 hour')
WHERE id = (
    SELECT id FROM payments WHERE status IN ('opening', 'open') AND ask_at <= now()
    ORDER BY ask_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id AS payment_id
""")

LOCK_ORDER_OF_REFUND = """
SELECT id FROM orders WHERE id = (SELECT order_id FROM refunds WHERE id = %(refund_id)s) FOR NO KEY UPDATE
"""
# The units of a failed refund stay as they are: what was put back to stock is there. The money can be refunded again.
FINISH_REFUND = Statement("""-- finish_refund
WITH refund AS (
    UPDATE refunds SET status = %(status)s, failure = %(failure)s, provider_id = %(provider_id)s, finished_at = now()
    WHERE id = %(refund_id)s AND status = 'pending'
    RETURNING *
),
of_the_order AS (
    SELECT * FROM refund WHERE reason IN ('requested', 'cancelled')
),
given_back AS (
    UPDATE orders SET refunded_minor = refunded_minor - amount_minor,
        payment_status = CASE WHEN refunded_minor = amount_minor THEN 'paid' ELSE 'partially_refunded' END
    FROM of_the_order r WHERE orders.id = r.order_id AND r.status = 'failed'
),
event AS (
    INSERT INTO order_events (order_id, type, status, total_minor, currency, amount_minor)
    SELECT o.id, 'order.refunded', o.status, o.total_minor, o.currency, r.amount_minor
    FROM of_the_order r JOIN orders o ON o.id = r.order_id WHERE r.status = 'done'
)
SELECT status FROM refund
""")
