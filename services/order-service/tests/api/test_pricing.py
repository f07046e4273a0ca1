"""Properties of tax and shipping, as the real SQL computes them, beside a reference in fractions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.context import Caller
from chassis.db.database import Database
from order_service import money
from order_service.catalog.import_file import Product
from order_service.checkout import queries
from order_service.orders.actions import NewOrder, place_order
from order_service.orders.terms import Terms

MOST = 5
CLASSES = ("standard", "reduced", "food", "untaxed")
PERCENT = ("0", "7", "19", "5.5", "8.875", "100")
ALICE = Caller("u-alice", "alice", "s-1")
SHOP = """
WITH goods AS (
    UPDATE products SET price_minor = new.price, currency = %(currency)s, tax_class = new.tax_class, stock = 1000
    FROM unnest(CAST(%(ids)s AS text[]), CAST(%(prices)s AS bigint[]), CAST(%(classes)s AS text[]))
        AS new(id, price, tax_class)
    WHERE products.id = new.id
),
rates AS (
    INSERT INTO tax_rates SELECT 'DE', * FROM unnest(CAST(%(taxed)s AS text[]), CAST(%(rates)s AS numeric[]))
)
INSERT INTO shipping_methods (id, name, currency, price_minor, free_from_minor, tax_class)
VALUES ('post', 'Post', %(currency)s, %(shipping)s, %(free_from)s, %(shipping_class)s)
"""
LINES = "SELECT line, unit_price_minor * qty AS minor, tax_minor FROM order_lines ORDER BY line"

amounts = st.integers(0, 100) | st.integers(0, 10**11)
classes = st.sampled_from(CLASSES)


class Basket(NamedTuple):
    """What is ordered, and the shop's rates and shipping; lines are (price, qty, tax class)."""

    currency: str
    included: bool
    lines: list[tuple[int, int, str]]
    rates: dict[str, str]
    shipping: int
    shipping_class: str
    free_from: int | None


baskets = st.builds(
    Basket,
    st.sampled_from(["JPY", "EUR", "KWD"]),
    st.booleans(),
    st.lists(st.tuples(amounts, st.integers(1, 999), classes), min_size=1, max_size=MOST),
    st.dictionaries(st.sampled_from(CLASSES[:-1]), st.sampled_from(PERCENT)),
    amounts,
    classes,
    st.none() | amounts,
)


@pytest.fixture
def priced(operator: Database, db: Database, stock: Callable[..., None]) -> Callable[[Basket], tuple[Any, Any]]:
    """Quote and order a basket; return the row of the order and the document of the quote."""
    stock(*(Product(f"p{n}", "Product", "", "", 1, "EUR", 1000) for n in range(MOST)))

    def price(basket: Basket) -> tuple[Any, Any]:
        with operator.transaction() as connection:
            for table in ("order_lines", "orders", "shipping_methods", "tax_rates"):
                connection.execute(f"DELETE FROM {table}")
            prices, quantities, tax_classes = map(list, zip(*basket.lines, strict=True))
            ids = [f"p{n}" for n in range(len(prices))]
            values = {"ids": ids, "prices": prices, "classes": tax_classes, **basket._asdict()}
            connection.execute(SHOP, values | {"taxed": [*basket.rates], "rates": [*basket.rates.values()]})
        wanted = dict(zip(ids, quantities, strict=True))
        order = NewOrder({"country": "DE"}, shipping_method="post")
        terms = Terms(basket.included, None, 1, 1)
        place_order(db, buyer=ALICE, basket=wanted, order=order, terms=terms, idempotency_key=None)
        quoted = queries.quote(
            db, basket=wanted, country="DE", shipping_method="post", prices_include_tax=basket.included
        )
        return db.fetch_one("SELECT * FROM orders"), quoted

    return price


def exact_tax(minor: int, rate: str, *, included: bool) -> Fraction:
    return minor * Fraction(rate) / (100 + Fraction(rate) if included else 100)


@settings(max_examples=20, deadline=None, suppress_health_check=[*HealthCheck])
@given(basket=baskets)
def test_taxes_add_up_and_are_rounded_once_for_each_rate(
    priced: Callable[[Basket], tuple[Any, Any]], db: Database, basket: Basket
) -> None:
    order, quoted = priced(basket)
    written = db.fetch_all(LINES)
    goods = sum(price * qty for price, qty, _ in basket.lines)
    shipping = 0 if basket.free_from is not None and goods >= basket.free_from else basket.shipping
    assert order.shipping_minor == shipping

    parts = [(row.minor, row.tax_minor, tax_class) for row, (*_, tax_class) in zip(written, basket.lines, strict=True)]
    parts.append((shipping, order.shipping_tax_minor, basket.shipping_class))
    by_rate: dict[Fraction, list[tuple[int, int]]] = defaultdict(list)
    for minor, tax, tax_class in parts:
        if rate := basket.rates.get(tax_class):
            by_rate[Fraction(rate)].append((minor, tax))
            assert abs(tax - exact_tax(minor, rate, included=basket.included)) < 1
        else:
            assert tax == 0

    rows = order.tax or []
    assert [Fraction(str(row["rate"])) for row in rows] == sorted(by_rate, reverse=True)
    for row, (rate, taxed) in zip(rows, sorted(by_rate.items(), reverse=True), strict=True):
        gross = sum(minor for minor, _ in taxed)
        exact = exact_tax(gross, str(rate), included=basket.included)
        assert row["tax_minor"] == sum(tax for _, tax in taxed) == floor(exact + Fraction(1, 2))
        assert row["net_minor"] == (gross - row["tax_minor"] if basket.included else gross)
    assert order.tax_minor == sum(row["tax_minor"] for row in rows)
    assert order.total_minor == goods + shipping + (0 if basket.included else order.tax_minor)
    assert f'"total":{money.amount(order.total_minor, basket.currency)}' in quoted.document
