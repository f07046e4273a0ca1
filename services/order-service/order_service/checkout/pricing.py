"""SQL that computes shipping, tax and total, for quotes and orders alike.

Tax is rounded once for each rate, half up, and then spread over the lines and the shipping by largest remainder: the
lines' taxes add up to the rate's, and the rates' to the order's.
"""

from __future__ import annotations

SHIPS_THERE = "active AND (countries IS NULL OR CAST(%(country)s AS text) = ANY (countries))"
"""Tell whether a shipping method goes to the country; of no country when that is NULL."""

COST = "CASE WHEN goods.minor >= free_from_minor THEN 0 ELSE price_minor END"
"""The price of a shipping method for these goods."""

_HUNDRED = "(100 + CASE WHEN CAST(%(prices_include_tax)s AS boolean) THEN rate ELSE 0 END)"

PRICED = f"""
-- No row unless all lines have one currency.
goods AS (
    SELECT min(currency) AS currency, sum(unit_price_minor * qty)::bigint AS minor
    FROM lines HAVING min(currency) = max(currency)
),
method AS (
    SELECT id, name, tax_class, {COST} AS minor
    FROM shipping_methods JOIN goods USING (currency)
    WHERE id = CAST(%(shipping_method)s AS text) AND {SHIPS_THERE}
),
taxed AS (
    SELECT line, rate, minor, floor(exact)::bigint + CASE
        WHEN row_number() OVER same_rate
            <= round(sum(minor) OVER same_rate * rate / {_HUNDRED}) - sum(floor(exact)) OVER same_rate
        THEN 1 ELSE 0 END AS tax_minor
    FROM (
        SELECT line, minor, rate, minor * rate / {_HUNDRED} AS exact
        FROM (
            SELECT line, unit_price_minor * qty AS minor, tax_class FROM lines
            UNION ALL
            SELECT 0, minor, tax_class FROM method
        ) AS position JOIN tax_rates USING (tax_class)
        WHERE country = CAST(%(country)s AS text)
    ) AS rated
    -- One frame for the number and for both sums: all positions of the rate, the largest remainder first.
    WINDOW same_rate AS (
        PARTITION BY rate ORDER BY exact - floor(exact) DESC, line
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
),
rates AS (
    SELECT rate, sum(minor)::bigint AS minor, sum(tax_minor)::bigint AS tax_minor FROM taxed GROUP BY rate
),
taxes AS (
    SELECT coalesce(sum(tax_minor), 0)::bigint AS minor,
           jsonb_agg(jsonb_build_object(
               'rate', rate, 'tax_minor', tax_minor,
               'net_minor', minor - CASE WHEN CAST(%(prices_include_tax)s AS boolean) THEN tax_minor ELSE 0 END
           ) ORDER BY rate DESC) AS rates
    FROM rates
),
priced AS (
    SELECT goods.currency, goods.minor AS goods_minor,
           method.id AS shipping_method, method.name AS shipping_name, coalesce(method.minor, 0) AS shipping_minor,
           coalesce((SELECT tax_minor FROM taxed WHERE line = 0), 0) AS shipping_tax_minor,
           taxes.minor AS tax_minor, taxes.rates AS tax,
           goods.minor + coalesce(method.minor, 0)
               + CASE WHEN CAST(%(prices_include_tax)s AS boolean) THEN 0 ELSE taxes.minor END AS total_minor,
           -- Where there are methods, an address takes one of them: the shop delivers nowhere else.
           method.id IS NOT NULL OR (CAST(%(shipping_method)s AS text) IS NULL AND NOT EXISTS (
               SELECT FROM shipping_methods WHERE shipping_methods.currency = goods.currency
                   AND active AND CAST(%(country)s AS text) IS NOT NULL
           )) AS shipping_is_known
    FROM goods CROSS JOIN taxes LEFT JOIN method ON true
)"""
"""CTEs behind `lines`; the parameters are country, shipping_method and prices_include_tax."""


def shipping(row: str, unit: str) -> str:
    """Return the SQL expression of the chosen shipping of a row; NULL for none. `unit` is that of `money`."""
    return f"""CASE WHEN {row}.shipping_method IS NOT NULL THEN (SELECT s FROM (SELECT
        {row}.shipping_method AS method, {row}.shipping_name AS name,
        {row}.shipping_minor * {unit} AS price
    ) AS s) END"""


def tax(row: str, included: str, unit: str) -> str:
    """Return the SQL expression of the tax of a row; NULL when no rate applied."""
    return f"""CASE WHEN {row}.tax IS NOT NULL THEN (SELECT t FROM (SELECT
        {included} AS included,
        {row}.tax_minor * {unit} AS total,
        (SELECT array_agg(r) FROM (
            SELECT trim_scale(rate) AS rate, net_minor * {unit} AS net, rates.tax_minor * {unit} AS tax
            FROM jsonb_to_recordset({row}.tax) AS rates(rate numeric, net_minor bigint, tax_minor bigint)
        ) AS r) AS rates
    ) AS t) END"""
