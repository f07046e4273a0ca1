"""SQL expressions of what was charged for the parts of an order; together they are its total."""

from __future__ import annotations

LINE_TOTAL = "(l.unit_price_minor * l.qty + CASE WHEN o.prices_include_tax THEN 0 ELSE l.tax_minor END)"
"""Of the line `l` of the order `o`, its tax included."""

SHIPPING_TOTAL = "(o.shipping_minor + CASE WHEN o.prices_include_tax THEN 0 ELSE o.shipping_tax_minor END)"

SHIPPING = 0
"""The line of a refund that stands for the shipping; the lines of an order begin with 1."""

SHIPPING_IS_REFUNDED = f"""EXISTS (
    SELECT FROM refunds WHERE order_id = o.id AND status <> 'failed' AND lines @> '[{{"line": {SHIPPING}}}]'
)"""
