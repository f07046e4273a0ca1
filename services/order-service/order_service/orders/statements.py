"""The two statements that change orders.

Both lock their products in key order, so that concurrent statements wait for each other but never deadlock. A batch of
orders then inserts its idempotency keys in order too.
Every part of a statement sees the same snapshot; only `FOR NO KEY UPDATE` reads the newest row after waiting. So the
products are locked first, and all decisions use the rows that the lock returned.
"""

from __future__ import annotations

from chassis.db.statement import Statement
from order_service.orders import documents

EARLIER = f"""
SELECT {documents.ORDER_ID} AS order_id, receipt, fingerprint
FROM orders o WHERE buyer_id = %(buyer_id)s AND idempotency_key = %(key)s
"""

# Returns the new order, or the earlier order of this key with its fingerprint, or else the stock.
# The SELECT hides the length of the arrays from the planner. With a known length, a custom plan for two products looked
# cheaper than the generic plan, so PostgreSQL planned every order again, which took longer than the order itself.
PLACE = Statement(f"""-- place_order
WITH earlier AS (
    {EARLIER.strip()}
),
buyer AS (
    SELECT EXISTS (SELECT FROM erased_buyers WHERE buyer_id = %(buyer_id)s) AS erased
),
asked AS (
    SELECT * FROM unnest((SELECT CAST(%(product_ids)s AS text[])), (SELECT CAST(%(quantities)s AS integer[])))
        WITH ORDINALITY AS a(product_id, qty, line)
),
-- A key that was used before locks nothing: what it was answered stands.
shelf AS (
    SELECT id, name, price_minor, currency, stock FROM products
    WHERE id = ANY (CAST((SELECT CAST(%(product_ids)s AS text[])) AS text[])) AND active
        AND NOT EXISTS (SELECT FROM earlier)
    ORDER BY id FOR NO KEY UPDATE
),
lines AS (
    SELECT line, product_id, name, price_minor AS unit_price_minor, qty, currency, stock >= qty AS enough,
           stock - qty AS remaining
    FROM asked JOIN shelf ON shelf.id = asked.product_id
),
-- One row when all that was asked for is there, in one currency; no row otherwise.
o AS (
    SELECT uuidv7() AS id, CAST(%(buyer_name)s AS text) AS buyer_name, 'placed' AS status, min(currency) AS currency,
           sum(unit_price_minor * qty)::bigint AS total_minor, CAST(%(ship_to)s AS jsonb) AS ship_to,
           now() AS placed_at, jsonb_build_array(jsonb_build_object('status', 'placed', 'at', now())) AS history
    FROM lines
    HAVING bool_and(enough) AND count(DISTINCT currency) = 1 AND count(*) = (SELECT count(*) FROM asked)
       AND NOT (SELECT erased FROM buyer)
),
-- Of two requests with one idempotency key, the second gets no row here, and so takes nothing.
claim AS (
    INSERT INTO orders (id, buyer_id, buyer_name, status, currency, total_minor, ship_to, placed_at, history,
                        idempotency_key, fingerprint, receipt)
    SELECT o.id, %(buyer_id)s, buyer_name, status, currency, total_minor, ship_to, placed_at, history,
           CAST(%(key)s AS text), CAST(%(fingerprint)s AS bytea), {documents.order(lines="lines")}
    FROM o
    ON CONFLICT (buyer_id, idempotency_key) DO NOTHING
    RETURNING id, receipt
),
written AS (
    INSERT INTO order_lines (order_id, line, product_id, name, unit_price_minor, qty)
    SELECT claim.id, line, product_id, name, unit_price_minor, qty FROM claim CROSS JOIN lines
),
-- Not `stock - qty`: PostgreSQL computes that on the snapshot's row first, and the CHECK refuses the result, even
-- when the locked row, which it looks at next, has had goods returned to it meanwhile.
taken AS (
    UPDATE products SET stock = lines.remaining FROM claim CROSS JOIN lines WHERE products.id = lines.product_id
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units, order_id)
    SELECT product_id, 'sale', -qty, claim.id FROM claim CROSS JOIN lines
)
SELECT coalesce({documents.ORDER_ID}, earlier.order_id) AS order_id, coalesce(o.receipt, earlier.receipt) AS receipt,
       earlier.fingerprint, buyer.erased,
       CASE WHEN o.id IS NULL THEN
           (SELECT json_object_agg(id, json_build_array(stock, currency)) FROM shelf)
       END AS shelf
FROM buyer LEFT JOIN claim AS o ON TRUE LEFT JOIN earlier ON TRUE
""")

CANCEL = Statement(f"""-- cancel_order
WITH target AS (
    SELECT id, status FROM orders WHERE id = %(id)s AND buyer_id = %(buyer_id)s FOR NO KEY UPDATE
),
shelf AS (
    SELECT products.id FROM products
    WHERE id IN (SELECT product_id FROM order_lines JOIN target ON order_id = target.id
                 WHERE status = ANY (CAST(%(cancellable)s AS text[])))
    ORDER BY id FOR NO KEY UPDATE
),
o AS (
    UPDATE orders SET status = 'cancelled',
        history = history || jsonb_build_object('status', 'cancelled', 'at', now())
    FROM target
    WHERE orders.id = target.id AND target.status = ANY (CAST(%(cancellable)s AS text[]))
    RETURNING orders.*
),
returned AS (
    UPDATE products SET stock = stock + qty
    FROM order_lines JOIN o ON order_id = o.id
    WHERE products.id = product_id AND products.id IN (SELECT id FROM shelf)
    RETURNING product_id, qty, order_id
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units, order_id)
    SELECT product_id, 'cancellation', qty, order_id FROM returned
)
SELECT status, (SELECT {documents.order()} FROM o) AS document FROM target
""")
