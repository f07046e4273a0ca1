"""Quote a basket at today's prices; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from chassis.db.database import Database, Row
from order_service import money
from order_service.checkout import pricing


def quote(
    db: Database,
    *,
    basket: Mapping[str, int],
    country: str | None,
    shipping_method: str | None,
    prices_include_tax: bool,
) -> Row:
    """Return the row of a quote.

    `document` is None unless all products are sold, in one currency; `shelf` is the stock and currency of those sold.
    """
    parameters: dict[str, Any] = {
        "product_ids": list(basket),
        "quantities": list(basket.values()),
        "country": country,
        "shipping_method": shipping_method,
        "prices_include_tax": prices_include_tax,
    }
    row = db.fetch_one(QUOTE, parameters)
    assert row is not None  # noqa: S101 - the statement selects exactly one row
    return row


def terms(db: Database, *, currency: str) -> Row:
    """Return the countries that shipping methods name, None for none, and whether a total depends on the country."""
    return db.fetch_one(TERMS, {"currency": currency})


TERMS = """
SELECT (SELECT array_agg(DISTINCT country) FROM shipping_methods CROSS JOIN unnest(countries) AS country
        WHERE active AND currency = %(currency)s) AS served,
    EXISTS (SELECT FROM shipping_methods WHERE active AND currency = %(currency)s)
        OR EXISTS (SELECT FROM tax_rates) AS depends
"""
_UNIT = money.unit("priced.currency")
_amount = partial(money.sql, currency="priced.currency")

QUOTE = f"""
WITH asked AS (
    SELECT * FROM unnest((SELECT CAST(%(product_ids)s AS text[])), (SELECT CAST(%(quantities)s AS integer[])))
        WITH ORDINALITY AS a(product_id, qty, line)
),
lines AS (
    SELECT line, product_id, name, price_minor AS unit_price_minor, qty, currency, tax_class, stock
    FROM asked JOIN products ON products.id = product_id WHERE active
),
{pricing.PRICED.strip()}
SELECT (SELECT json_object_agg(product_id, json_build_array(stock, currency)) FROM lines) AS shelf,
    (SELECT shipping_is_known FROM priced) AS shipping_is_known,
    (SELECT to_json((SELECT d FROM (SELECT
        (SELECT array_agg(i) FROM (
            SELECT product_id, name, {_amount("unit_price_minor")} AS unit_price, qty,
                   {_amount("unit_price_minor * qty")} AS line_total, stock AS available
            FROM lines ORDER BY line
        ) AS i) AS items,
        ARRAY(SELECT s FROM (
            SELECT product_id, qty AS wanted, stock AS available FROM lines WHERE stock < qty ORDER BY line
        ) AS s) AS shortages,
        priced.currency,
        ARRAY(SELECT m FROM (
            SELECT id, name, {_amount(pricing.COST)} AS price
            FROM shipping_methods JOIN goods USING (currency)
            WHERE {pricing.SHIPS_THERE} AND CAST(%(country)s AS text) IS NOT NULL
            ORDER BY position, id
        ) AS m) AS shipping_methods,
        {pricing.shipping("priced", _UNIT)} AS shipping,
        {pricing.tax("priced", "CAST(%(prices_include_tax)s AS boolean)", _UNIT)} AS tax,
        {_amount("total_minor")} AS total
    ) AS d))::text FROM priced WHERE (SELECT count(*) FROM lines) = (SELECT count(*) FROM asked)) AS document
"""
