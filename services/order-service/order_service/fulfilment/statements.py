"""The statements with which staff send an order on its way.

Each locks its order first and decides by the row that the lock returned. A request that changes nothing writes nothing.
"""

from __future__ import annotations

from chassis.db import audit
from chassis.db.statement import Statement
from order_service.orders import documents, states

_TARGET = "SELECT * FROM orders WHERE id = %(id)s FOR NO KEY UPDATE"
_NEW = """jsonb_build_object('carrier', CAST(%(carrier)s AS text), 'tracking_number', CAST(%(tracking_number)s AS text),
        'tracking_url', CAST(%(tracking_url)s AS text))"""
_STATE = "target.status, target.payment_status"
_CHANGED = "EXISTS (SELECT FROM o) AS changed"
_SAME = f"coalesce(shipment - 'shipped_at' = {_NEW}, false)"

SHIP = Statement(f"""-- ship_order
WITH target AS ({_TARGET}),
o AS (
    UPDATE orders SET status = 'shipped', shipment = {_NEW} || jsonb_build_object('shipped_at', now()),
        history = orders.history || jsonb_build_object('status', 'shipped', 'at', now())
    FROM (SELECT id FROM target WHERE {states.ACCEPTS} AND ship_to IS NOT NULL AND email IS NOT NULL) AS accepted
    WHERE orders.id = accepted.id RETURNING orders.*
),
event AS (
    INSERT INTO order_events (order_id, type, status, total_minor, currency)
    SELECT id, 'order.shipped', status, total_minor, currency FROM o
),
audited AS (
    {audit.INSERT} 'order.ship', {documents.ORDER_ID}, jsonb_build_object('status', target.status),
        jsonb_build_object('status', o.status) || {_NEW}
    FROM o CROSS JOIN target
)
SELECT {_STATE}, {_CHANGED}, target.status <> 'placed' AND {_SAME} AS same,
       array_remove(ARRAY[CASE WHEN ship_to IS NULL THEN 'ship_to' END, CASE WHEN email IS NULL THEN 'email' END], NULL)
           AS missing
FROM target
""")

TRACK = Statement(f"""-- track_order
WITH target AS ({_TARGET}),
o AS (
    UPDATE orders SET shipment = coalesce(orders.shipment, '{{}}') || {_NEW}
    FROM (SELECT id FROM target WHERE {states.ACCEPTS} AND NOT {_SAME}) AS accepted
    WHERE orders.id = accepted.id RETURNING orders.*
),
audited AS (
    {audit.INSERT} 'order.track', {documents.ORDER_ID}, target.shipment - 'shipped_at', {_NEW} FROM o CROSS JOIN target
)
SELECT {_STATE}, {_CHANGED}, {_SAME} AS same FROM target
""")

DELIVER = Statement(f"""-- deliver_order
WITH target AS ({_TARGET}),
o AS (
    UPDATE orders SET status = 'delivered',
        history = orders.history || jsonb_build_object('status', 'delivered', 'at', now())
    FROM (SELECT id FROM target WHERE {states.ACCEPTS}) AS accepted WHERE orders.id = accepted.id RETURNING orders.*
),
event AS (
    INSERT INTO order_events (order_id, type, status, total_minor, currency)
    SELECT id, 'order.delivered', status, total_minor, currency FROM o
),
audited AS (
    {audit.INSERT} 'order.deliver', {documents.ORDER_ID}, jsonb_build_object('status', target.status),
        jsonb_build_object('status', o.status)
    FROM o CROSS JOIN target
)
SELECT {_STATE}, {_CHANGED}, target.status = 'delivered' AS same FROM target
""")

# A new address has not refused any mail yet.
CHANGE_CONTACT = Statement(f"""-- change_contact
WITH target AS ({_TARGET}),
wanted AS (
    SELECT id, CASE WHEN %(has_ship_to)s THEN CAST(%(ship_to)s AS jsonb) ELSE ship_to END AS ship_to,
           CASE WHEN %(has_email)s THEN %(email)s ELSE email END AS email,
           EXISTS (SELECT FROM erased_buyers WHERE erased_buyers.buyer_id = target.buyer_id) AS erased
    FROM target
),
o AS (
    UPDATE orders SET ship_to = wanted.ship_to, email = wanted.email,
        email_refused_at = CASE WHEN wanted.email IS NOT DISTINCT FROM orders.email THEN orders.email_refused_at END
    FROM wanted
    WHERE orders.id = wanted.id AND NOT erased AND wanted.id IN (SELECT id FROM target WHERE {states.ACCEPTS})
        AND (orders.ship_to, orders.email) IS DISTINCT FROM (wanted.ship_to, wanted.email)
    RETURNING orders.*
),
audited AS (
    {audit.INSERT} 'order.change', {documents.ORDER_ID},
        jsonb_build_object('ship_to', target.ship_to, 'email', target.email),
        jsonb_build_object('ship_to', o.ship_to, 'email', o.email)
    FROM o CROSS JOIN target
)
SELECT {_STATE}, {_CHANGED}, erased,
       (wanted.ship_to, wanted.email) IS NOT DISTINCT FROM (target.ship_to, target.email) AS same
FROM target JOIN wanted USING (id)
""")
