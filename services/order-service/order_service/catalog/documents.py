"""SQL expressions with which statements return a product as JSON."""

from __future__ import annotations

from order_service import money


def _members(row: str) -> str:
    price = money.sql(f"{row}.price_minor", f"{row}.currency")
    return f"{row}.id, {row}.name, {row}.description, {row}.category, {price} AS price, {row}.currency"


_SOLD = f"{_members('p')}, p.stock AS available"
# Most products have neither pictures nor variants, and need less work then.
DOCUMENT = f"""CASE WHEN num_nonnulls(p.images, p.group_id, p.options) = 0
    THEN to_json((SELECT d FROM (SELECT {_SOLD}) AS d))
    ELSE json_strip_nulls(to_json((SELECT d FROM (SELECT {_SOLD}, p.images, p.group_id AS "group", p.options) AS d)))
END::text"""
"""A product for customers, of the row `p`."""


def staff_document(row: str) -> str:
    """Return the SQL expression of the whole product of a row."""
    return f"""to_json((SELECT d FROM (SELECT {_members(row)}, {row}.stock, {row}.active,
    coalesce({row}.images, '{{}}') AS images, {row}.tax_class, {row}.group_id AS "group",
    coalesce({row}.options, '{{}}') AS options) AS d))::text"""
