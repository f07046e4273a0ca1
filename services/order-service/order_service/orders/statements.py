"""The statements that place orders.

They lock their products in key order, so that concurrent statements wait for each other but never deadlock. A batch of
orders then inserts its idempotency keys in order too.
Every part of a statement sees the same snapshot; only `FOR NO KEY UPDATE` reads the newest row after waiting. So the
products are locked first, and all decisions use the rows that the lock returned.
"""

from __future__ import annotations

from chassis.db.statement import Statement
from order_service import money
from order_service.checkout import pricing
from order_service.orders import documents

EARLIER = f"""
SELECT {documents.ORDER_ID} AS order_id, receipt, fingerprint
FROM orders o WHERE buyer_id = %(buyer_id)s AND idempotency_key = %(key)s
"""

_IDENTITY = """uuidv7() AS id, CAST(%(buyer_name)s AS text) AS buyer_name, 'placed' AS status,
           CAST(%(ship_to)s AS jsonb) AS ship_to, now() AS placed_at,
           jsonb_build_array(jsonb_build_object('status', 'placed', 'at', now())) AS history,
           0::bigint AS paid_minor, 0::bigint AS refunded_minor, CAST(NULL AS jsonb) AS shipment"""
_MINUTES = "CAST(%(payment_minutes)s AS integer)"
_MUST_PAY = f"total_minor > 0 AND {_MINUTES} IS NOT NULL"
_AS_EXPECTED = f"""(CAST(%(expected_total)s AS numeric) IS NULL
        OR CAST(%(expected_total)s AS numeric) = {money.sql("total_minor", "currency")})"""

# The order that is written, from `lines` alone: no shipping, no tax, nothing to pay.
_PLAIN = f"""
o AS (
    SELECT {_IDENTITY}, min(currency) AS currency, sum(unit_price_minor * qty)::bigint AS total_minor,
           CAST(NULL AS text) AS email, CAST(NULL AS text) AS shipping_method, CAST(NULL AS text) AS shipping_name,
           0::bigint AS shipping_minor, 0::bigint AS shipping_tax_minor, 0::bigint AS tax_minor,
           CAST(NULL AS jsonb) AS tax, true AS prices_include_tax,
           'not_required' AS payment_status, CAST(NULL AS timestamptz) AS pay_until
    FROM lines
    HAVING bool_and(enough) AND min(currency) = max(currency) AND count(*) = (SELECT count(*) FROM asked)
       AND NOT (SELECT erased FROM buyer)
),
taxed AS (
    SELECT 0 AS line, 0::bigint AS tax_minor WHERE false
)"""

# The same with shipping, tax and a payment. The total must be what the buyer expects, and few units may wait unpaid.
_PRICED = f"""{pricing.PRICED},
o AS (
    SELECT {_IDENTITY}, currency, total_minor, CAST(%(email)s AS text) AS email, shipping_method, shipping_name,
           shipping_minor, shipping_tax_minor, tax_minor, tax,
           CAST(%(prices_include_tax)s AS boolean) AS prices_include_tax,
           CASE WHEN {_MUST_PAY} THEN 'pending' ELSE 'not_required' END AS payment_status,
           CASE WHEN {_MUST_PAY} THEN now() + make_interval(mins => {_MINUTES}) END AS pay_until
    FROM priced
    WHERE shipping_is_known AND {_AS_EXPECTED} AND NOT (SELECT erased FROM buyer)
       AND (SELECT bool_and(enough AND may_wait) AND count(*) = (SELECT count(*) FROM asked) FROM lines)
)"""

# Returns the new order, or the earlier order of this key with its fingerprint, or else what prevents it.
# The SELECT hides the length of the arrays from the planner. With a known length, a custom plan for two products looked
# cheaper than the generic plan, so PostgreSQL planned every order again, which took longer than the order itself.


_BODY = """
WITH earlier AS (
    {earlier}
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
    SELECT id, name, price_minor, currency, tax_class, stock FROM products
    WHERE id = ANY (CAST((SELECT CAST(%(product_ids)s AS text[])) AS text[])) AND active
        AND NOT EXISTS (SELECT FROM earlier)
    ORDER BY id FOR NO KEY UPDATE
),
lines AS (
    SELECT line, product_id, name, price_minor AS unit_price_minor, qty, currency, tax_class, stock >= qty AS enough,
           stock - qty AS remaining, {may_wait} AS may_wait
    FROM asked JOIN shelf ON shelf.id = asked.product_id
),
{order},
-- Of two requests with one idempotency key, the second gets no row here, and so takes nothing.
claim AS (
    INSERT INTO orders (id, buyer_id, buyer_name, status, currency, total_minor, ship_to, placed_at, history,
                        email, shipping_method, shipping_name, shipping_minor, shipping_tax_minor, tax_minor, tax,
                        prices_include_tax, payment_status, pay_until, idempotency_key, fingerprint, receipt)
    SELECT o.id, %(buyer_id)s, buyer_name, status, currency, total_minor, ship_to, placed_at, history,
           email, shipping_method, shipping_name, shipping_minor, shipping_tax_minor, tax_minor, tax,
           prices_include_tax, payment_status, pay_until,
           CAST(%(key)s AS text), CAST(%(fingerprint)s AS bytea), {document}
    FROM o
    ON CONFLICT (buyer_id, idempotency_key) DO NOTHING
    RETURNING id, receipt
),
written AS (
    INSERT INTO order_lines (order_id, line, product_id, name, unit_price_minor, qty, tax_minor)
    SELECT claim.id, line, product_id, name, unit_price_minor, qty, coalesce(taxed.tax_minor, 0)
    FROM claim CROSS JOIN lines LEFT JOIN taxed USING (line)
),
-- Not `stock - qty`: PostgreSQL computes that on the snapshot's row first, and the CHECK refuses the result, even
-- when the locked row, which it looks at next, has had goods returned to it meanwhile.
taken AS (
    UPDATE products SET stock = lines.remaining FROM claim CROSS JOIN lines WHERE products.id = lines.product_id
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units, order_id)
    SELECT product_id, 'sale', -qty, claim.id FROM claim CROSS JOIN lines
),
event AS (
    INSERT INTO order_events (order_id, type, status, total_minor, currency)
    SELECT claim.id, 'order.placed', status, total_minor, currency FROM claim CROSS JOIN o
)
SELECT coalesce({order_id}, earlier.order_id) AS order_id, coalesce(o.receipt, earlier.receipt) AS receipt,
       earlier.fingerprint, buyer.erased,
       CASE WHEN o.id IS NULL THEN
           (SELECT json_object_agg(id, json_build_array(stock, currency)) FROM shelf)
       END AS shelf,
       CASE WHEN o.id IS NULL THEN {offer} END AS offer
FROM buyer LEFT JOIN claim AS o ON TRUE LEFT JOIN earlier ON TRUE
"""
"""`order` are the CTEs `o`, the row to write, and `taxed`; `offer` says what prevents the order beside the stock."""
_COMMON = {
    "earlier": EARLIER.strip(),
    "document": documents.order(lines="lines"),
    "order_id": documents.ORDER_ID,
}

PLACE = Statement(f"""-- place_order
{_BODY.format(may_wait="true", order=_PLAIN.strip(), offer="CAST(NULL AS json)", **_COMMON)}
""")
_MAY_WAIT = f"""CASE WHEN {_MINUTES} IS NULL THEN true ELSE (
        SELECT orders < %(most_unpaid_orders)s AND units + qty <= %(most_unpaid_units)s
        FROM unpaid_of_product(%(buyer_id)s, asked.product_id)
    ) END"""
_OFFER = f"""(
        SELECT json_build_object('shipping_is_known', shipping_is_known, 'as_expected', {_AS_EXPECTED},
            'waiting', coalesce((SELECT json_agg(product_id ORDER BY line) FROM lines WHERE NOT may_wait), '[]'))
        FROM priced
    )"""
PLACE_PRICED = Statement(f"""-- place_priced_order
{_BODY.format(may_wait=_MAY_WAIT, order=_PRICED.strip(), offer=_OFFER, **_COMMON)}
""")
