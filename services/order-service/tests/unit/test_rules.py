from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_service.orders import rules
from order_service.orders.rules import OnShelf

LINES = st.lists(st.tuples(st.sampled_from(["p1", "p2", "p3"]), st.integers(1, 10)), max_size=20)


@given(LINES)
def test_merging_keeps_every_unit_and_leaves_one_line_per_product(lines: list[tuple[str, int]]) -> None:
    basket = rules.merge(lines)
    assert sum(basket.values()) == sum(qty for _, qty in lines)
    assert list(basket) == list(dict.fromkeys(product for product, _ in lines))


def test_merged_lines_may_not_exceed_the_largest_quantity() -> None:
    with pytest.raises(rules.TooMany) as refusal:
        rules.merge([("p1", 999), ("p1", 1), ("p2", 1)])
    assert refusal.value.members == {"products": ["p1"]}


def test_basket_in_stock_is_accepted() -> None:
    rules.refuse({"p1": 2, "p2": 1}, {"p1": OnShelf(2, "EUR"), "p2": OnShelf(5, "EUR")})


def test_unknown_products_are_named() -> None:
    with pytest.raises(rules.UnknownProduct, match="unknown product: p8, p9"):
        rules.refuse({"p8": 1, "p1": 1, "p9": 1}, {"p1": OnShelf(1, "EUR")})


def test_out_of_stock_lists_each_product_with_its_stock() -> None:
    with pytest.raises(rules.OutOfStock) as refusal:
        rules.refuse({"p1": 3, "p2": 1}, {"p1": OnShelf(2, "EUR"), "p2": OnShelf(1, "EUR")})
    assert refusal.value.members == {"products": [{"product_id": "p1", "wanted": 3, "available": 2}]}


def test_order_with_two_currencies_is_refused() -> None:
    with pytest.raises(rules.MixedCurrencies):
        rules.refuse({"p1": 1, "p2": 1}, {"p1": OnShelf(1, "EUR"), "p2": OnShelf(1, "USD")})
