"""Budgets of SQL statements and calls of own functions per request, the same on every machine and Python.

Lower a budget when the code needs less; raise one only for a feature that is worth it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flask import Flask

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.budgets import effort
from chassis.testing.http import bearer, browser

ALICE = bearer("u-alice", "alice")
ITEMS = {"items": [{"product_id": "p1", "qty": 1}, {"product_id": "p2", "qty": 1}]}


class Budget(NamedTuple):
    method: str
    path: str
    status: str
    statements: int
    calls: int


BUDGETS = {
    "list of products": Budget("GET", "/products?limit=20", "200 OK", 1, 56),
    "list of products, from memory": Budget("GET", "/products?limit=20", "200 OK", 0, 19),
    "categories, from memory": Budget("GET", "/categories", "200 OK", 0, 28),
    "product": Budget("GET", "/products/p1", "200 OK", 1, 38),
    "order": Budget("GET", "/orders/{order_id}", "200 OK", 1, 42),
    "own orders": Budget("GET", "/orders?limit=20", "200 OK", 1, 44),
    "placing an order": Budget("POST", "/create_order", "201 CREATED", 1, 69),
}


@pytest.fixture
def requests(
    app: Flask, stock: Callable[..., None], place: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[dict[str, Any]]]:
    """Return a function that makes different requests of one kind."""
    stock(p1=1000, p2=1000)
    order_id, *_ = [str(place(p1=1, p2=1).json["order_id"]) for _ in range(3)]

    def make(work: str) -> list[dict[str, Any]]:
        method, path = BUDGETS[work].method, BUDGETS[work].path.format(order_id=order_id)
        monkeypatch.setattr("chassis.http.response_cache.FRESH_SECONDS", 60 if "from memory" in work else -1)
        body = {"json": ITEMS} if method == "POST" else {}
        return [
            {"path": path, "method": method, "headers": ALICE | {"Idempotency-Key": f"key-{number}"}, **body}
            for number in range(8)
        ]

    return make


@pytest.mark.parametrize("work", BUDGETS)
def test_a_request_stays_within_its_budget_of_calls(app: Flask, requests: Callable[..., Any], work: str) -> None:
    status, calls = effort(app, requests(work))
    assert status == BUDGETS[work].status
    assert calls <= BUDGETS[work].calls


@pytest.mark.parametrize("work", BUDGETS)
def test_number_of_statements_equals_the_budget(
    app: Flask, db: Database, requests: Callable[..., Any], count_statements: Callable[..., Any], work: str
) -> None:
    first, second, *_ = requests(work)
    assert app.test_client().open(**first).status == BUDGETS[work].status
    with count_statements(db) as statements:
        assert app.test_client().open(**second).status == BUDGETS[work].status
    assert len(statements) == BUDGETS[work].statements


PAGES = {
    "/shop?q=product": 1,
    "/shop/products/p1": 1,
    "/shop/basket": 1,
    "/shop/checkout": 3,  # the basket, its quote, and what the total depends on
    "/shop/orders": 1,
    "/shop/orders/{order_id}": 1,
    "/shop/assets/shop.css": 0,
    "/shop/pictures/other-0.svg": 0,
}


@pytest.mark.parametrize("path", PAGES)
def test_number_of_statements_of_a_page_equals_the_budget(
    *, app: Api, db: Database, stock: Callable[..., None], place: Callable[..., Any],
    count_statements: Callable[..., Any], path: str
) -> None:  # fmt: skip
    stock(p1=9, p2=9)
    path = path.format(order_id=place(p1=1).json["order_id"])
    client = browser(app, ALICE["Authorization"].removeprefix("Bearer "))
    client.set_cookie("shop-basket", "p1:1:1000|p2:2:1000")
    assert client.get(path).status_code == 200
    with count_statements(db) as statements:
        assert client.get(path).status_code == 200
    assert len(statements) == PAGES[path if path in PAGES else "/shop/orders/{order_id}"]
