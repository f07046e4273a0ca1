"""SQL expressions with which statements return a product as JSON."""

from __future__ import annotations

import orjson

from chassis.db.database import Row


def _members(row: str) -> str:
    return f"{row}.id, {row}.name, {row}.description, {row}.category, {row}.price, {row}.currency"


COLUMNS = f"""to_json((SELECT d FROM (SELECT {_members("p")}, p.stock AS available) AS d))::text AS document,
    num_nonnulls(p.images, p.group_id, p.options) > 0 AS has_more,
    p.images, p.group_id, p.options"""
"""The columns of a product for customers, of the row `p`; `document` adds to the JSON what only few products have."""


def document(row: Row) -> str:
    """Return the JSON of a product that `has_more`: images or what variants have."""
    more = {"images": row.images, "group": row.group_id, "options": row.options}
    added = orjson.dumps({name: value for name, value in more.items() if value is not None}).decode()
    return f"{row.document[:-1]},{added[1:]}"


def staff_document(row: str) -> str:
    """Return the SQL expression of the whole product of a row."""
    return f"""to_json((SELECT d FROM (SELECT {_members(row)}, {row}.stock, {row}.active,
    coalesce({row}.images, '{{}}') AS images, {row}.tax_class, {row}.group_id AS "group",
    coalesce({row}.options, '{{}}') AS options) AS d))::text"""
