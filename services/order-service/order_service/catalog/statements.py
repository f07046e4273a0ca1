"""The statements with which staff change products.

Each locks its product first, and notes in the audit what it was before and is afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable

from chassis.db import audit
from chassis.db.statement import Statement
from order_service.catalog import search
from order_service.catalog.documents import staff_document

COLUMNS = (
    "name", "description", "category", "price_minor", "currency", "active", "images", "tax_class", "group_id",
    "options",
)  # fmt: skip
_TYPED = {"images": "CAST(%(images)s AS text[])", "options": "CAST(%(options)s AS jsonb)"}
_VALUES = ", ".join(_TYPED.get(column, f"%({column})s") for column in COLUMNS)
_AFTER = f"{staff_document('p')}::jsonb"

CREATE = Statement(f"""-- create_product
WITH p AS (
    INSERT INTO products (id, stock, {", ".join(COLUMNS)}, search, indexed_as)
    SELECT %(id)s, %(stock)s, {_VALUES}, {search.indexed("words", "%(language)s")}, %(indexed_as)s
    FROM (SELECT CAST(%(plain)s AS text) AS plain, CAST(%(stem_name)s AS text) AS stem_name,
                 CAST(%(stem_description)s AS text) AS stem_description) AS words
    RETURNING *
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units, reason)
    SELECT id, 'adjustment', stock, 'new product' FROM p WHERE stock <> 0
),
audited AS ({audit.INSERT} 'product.create', id, NULL, {_AFTER} FROM p)
SELECT {staff_document("p")} AS document FROM p
""")

ADJUST = Statement(f"""-- adjust_stock
WITH before AS (
    SELECT id, stock FROM products WHERE id = %(id)s FOR NO KEY UPDATE
),
earlier AS (
    SELECT units = %(units)s AND reason = %(reason)s AS is_same FROM stock_movements
    WHERE product_id = %(id)s AND idempotency_key = %(key)s
),
p AS (
    UPDATE products SET stock = before.stock + %(units)s FROM before
    WHERE products.id = before.id AND NOT EXISTS (SELECT FROM earlier)
        AND before.stock::bigint + %(units)s BETWEEN 0 AND %(most)s
    RETURNING products.*
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units, reason, idempotency_key)
    SELECT id, 'adjustment', %(units)s, %(reason)s, %(key)s FROM p
),
audited AS (
    {audit.INSERT} 'product.stock', p.id, jsonb_build_object('stock', before.stock),
        jsonb_build_object('stock', p.stock, 'reason', CAST(%(reason)s AS text))
    FROM p CROSS JOIN before
)
SELECT before.stock, (SELECT {staff_document("p")} FROM p) AS document,
    (SELECT is_same FROM earlier) AS is_same FROM before
""")

INDEX = Statement(f"""-- index_product
UPDATE products SET search = {search.indexed("words", "%(language)s")}, indexed_as = %(indexed_as)s
FROM (SELECT CAST(%(plain)s AS text) AS plain, CAST(%(stem_name)s AS text) AS stem_name,
             CAST(%(stem_description)s AS text) AS stem_description) AS words
WHERE products.id = %(id)s
""")


def change(columns: Iterable[str]) -> Statement:
    """Return the statement that sets these of COLUMNS."""
    assignments = ", ".join(f"{name} = {_TYPED.get(name, f'%({name})s')}" for name in COLUMNS if name in set(columns))
    return Statement(f"""-- change_product
WITH before AS (
    SELECT * FROM products WHERE id = %(id)s FOR NO KEY UPDATE
),
p AS (
    UPDATE products SET {assignments} FROM before WHERE products.id = before.id RETURNING products.*
),
audited AS (
    {audit.INSERT} 'product.change', p.id, {staff_document("before")}::jsonb, {_AFTER} FROM p CROSS JOIN before
)
SELECT {staff_document("p")} AS document, name, description FROM p
""")
