from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.testing.http import bearer
from order_service.catalog.import_file import Product

ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")

CONTRACT = [
    Product("p1", "Wireless Mouse", "", "Computers", 1999, "EUR", 10),
    Product("p2", "Mechanical Keyboard", "", "Computers", 5949, "EUR", 10),
    Product("p3", "USB-C Hub", "", "Computers", 2490, "EUR", 10),
]


@pytest.mark.parametrize("route", ["/create_order", "/orders"])
def test_the_contracts_example_costs_64_88(client: FlaskClient, stock: Callable[..., None], route: str) -> None:
    stock(*CONTRACT)
    answer = client.post(
        route, json={"items": [{"product_id": "p1", "qty": 2}, {"product_id": "p3", "qty": 1}]}, headers=ALICE
    )
    assert answer.status_code == 201, answer.text
    order = answer.json
    assert order is not None
    assert re.fullmatch(r"o-[0-9a-f]{32}", order["order_id"])
    assert answer.headers["Location"] == f"/orders/{order['order_id']}"
    assert order["user"] == "alice"
    assert order["status"] == "placed"
    assert order["items"] == [
        {"product_id": "p1", "name": "Wireless Mouse", "unit_price": 19.99, "qty": 2, "line_total": 39.98},
        {"product_id": "p3", "name": "USB-C Hub", "unit_price": 24.9, "qty": 1, "line_total": 24.9},
    ]
    assert (order["total"], order["currency"], order["ship_to"]) == (64.88, "EUR", None)
    assert b'"line_total":24.90' in answer.data


def test_an_order_takes_the_stock_and_reads_back_as_it_was_answered(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], left: Callable[[str], int]
) -> None:
    stock(*CONTRACT)
    placed = place(p2=3, p1=1)
    assert (left("p1"), left("p2"), left("p3")) == (9, 7, 10)
    assert client.get(placed.headers["Location"], headers=ALICE).data == placed.data
    assert client.get("/orders", headers=ALICE).data == b"[" + placed.data + b"]"


def test_an_order_keeps_its_names_and_prices_when_the_catalogue_changes(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(*CONTRACT)
    placed = place(p1=1)
    stock(Product("p1", "Renamed", "", "Other", 1, "USD", 3))
    assert client.get(placed.headers["Location"], headers=ALICE).data == placed.data


def test_orders_are_listed_newest_first_a_page_at_a_time(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(p1=50)
    placed = [place(p1=1).json["order_id"] for _ in range(5)]
    place(BOB, p1=1)
    first = client.get("/orders?limit=3", headers=ALICE)
    link = first.headers["Link"].removeprefix("<").partition(">")[0]
    second = client.get(link, headers=ALICE)
    assert first.json is not None
    assert second.json is not None
    assert [order["order_id"] for order in first.json + second.json] == placed[::-1]
    assert "Link" not in second.headers


def test_cancel_restores_the_stock_once(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], left: Callable[[str], int]
) -> None:
    stock(p1=5, p2=5)
    placed = place(p1=2, p2=1)
    etag = client.get(placed.headers["Location"], headers=ALICE).headers["ETag"]
    answer = client.post(f"{placed.headers['Location']}/cancel", headers=ALICE)
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["status"] == "cancelled"
    assert [change["status"] for change in answer.json["history"]] == ["placed", "cancelled"]
    assert answer.json["items"] == placed.json["items"]
    assert (left("p1"), left("p2")) == (5, 5)
    now = client.get(placed.headers["Location"], headers=ALICE | {"If-None-Match": etag})
    assert (now.status_code, now.data) == (200, answer.data)

    again = client.post(f"{placed.headers['Location']}/cancel", headers=ALICE)
    assert (again.status_code, again.json["code"]) == (409, "not_cancellable")  # type: ignore[index]
    assert left("p1") == 5
