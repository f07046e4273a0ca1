"""The statements with which staff change shipping methods and tax rates; each notes itself in the audit."""

from __future__ import annotations

from chassis.db import audit
from chassis.db.statement import Statement
from order_service import money


def method(row: str) -> str:
    """Return the SQL expression of the JSON document of a shipping method."""
    price, free_from = (money.sql(f"{row}.{name}", f"{row}.currency") for name in ("price_minor", "free_from_minor"))
    return f"""to_jsonb((SELECT d FROM (SELECT {row}.id, {row}.name, {row}.countries, {row}.currency, {price} AS price,
    {free_from} AS free_from, {row}.tax_class, {row}.active, {row}.position) AS d))"""


def rate(row: str) -> str:
    """Return the SQL expression of the JSON document of a tax rate."""
    return f"to_jsonb((SELECT d FROM (SELECT {row}.country, {row}.tax_class, trim_scale({row}.rate) AS rate) AS d))"


METHODS = f"SELECT {method('m')} AS document, m.* FROM shipping_methods m ORDER BY position, id"
RATES = f"SELECT {rate('r')} AS document, r.* FROM tax_rates r ORDER BY country, tax_class"

_METHOD = """(id, name, countries, currency, price_minor, free_from_minor, tax_class, active, position)
    SELECT %(id)s, %(name)s, CAST(%(countries)s AS text[]), %(currency)s, %(price_minor)s, %(free_from_minor)s,
           %(tax_class)s, %(active)s, %(position)s"""
# What there was before is read before it is replaced.
_AFTER_THAT = "FROM (SELECT count(*) FROM before) AS known"
PUT_METHOD = Statement(f"""-- put_shipping_method
WITH before AS (
    SELECT * FROM shipping_methods WHERE id = %(id)s FOR UPDATE
),
m AS (
    INSERT INTO shipping_methods {_METHOD} {_AFTER_THAT}
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, countries = excluded.countries, currency = excluded.currency,
        price_minor = excluded.price_minor, free_from_minor = excluded.free_from_minor,
        tax_class = excluded.tax_class, active = excluded.active, position = excluded.position
    RETURNING *
),
audited AS (
    {audit.INSERT} 'shipping.put', m.id, CASE WHEN before.id IS NOT NULL THEN {method("before")} END, {method("m")}
    FROM m LEFT JOIN before ON true
)
SELECT {method("m")} AS document FROM m
""")
DELETE_METHOD = Statement(f"""-- delete_shipping_method
WITH m AS (
    DELETE FROM shipping_methods WHERE id = %(id)s RETURNING *
),
audited AS ({audit.INSERT} 'shipping.delete', m.id, {method("m")}, NULL FROM m)
SELECT id FROM m
""")
PUT_RATE = Statement(f"""-- put_tax_rate
WITH before AS (
    SELECT * FROM tax_rates WHERE country = %(country)s AND tax_class = %(tax_class)s FOR UPDATE
),
r AS (
    INSERT INTO tax_rates (country, tax_class, rate) SELECT %(country)s, %(tax_class)s, %(rate)s {_AFTER_THAT}
    ON CONFLICT (country, tax_class) DO UPDATE SET rate = excluded.rate
    RETURNING *
),
audited AS (
    {audit.INSERT} 'tax.put', r.country || '/' || r.tax_class,
        CASE WHEN before.country IS NOT NULL THEN {rate("before")} END, {rate("r")}
    FROM r LEFT JOIN before ON true
)
SELECT {rate("r")} AS document FROM r
""")
DELETE_RATE = Statement(f"""-- delete_tax_rate
WITH r AS (
    DELETE FROM tax_rates WHERE country = %(country)s AND tax_class = %(tax_class)s RETURNING *
),
audited AS ({audit.INSERT} 'tax.delete', r.country || '/' || r.tax_class, {rate("r")}, NULL FROM r)
SELECT country FROM r
""")

LOCK = {name: f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE" for name in ("shipping_methods", "tax_rates")}
COUNT = {name: f"SELECT count(*) AS rows FROM {name}" for name in LOCK}
CLEAR = {
    "shipping_methods": Statement("""-- clear_shipping_methods
DELETE FROM shipping_methods
"""),
    "tax_rates": Statement("""-- clear_tax_rates
DELETE FROM tax_rates
"""),
}
ADD = {
    "shipping_methods": Statement(f"""-- add_shipping_method
INSERT INTO shipping_methods {_METHOD}
"""),
    "tax_rates": Statement("""-- add_tax_rate
INSERT INTO tax_rates (country, tax_class, rate) VALUES (%(country)s, %(tax_class)s, %(rate)s)
"""),
}
