from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.catalog.importer import Product

ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")

CONTRACT = [
    Product("p1", "Wireless Mouse", "", "Computers", 1999, "EUR", 10),
    Product("p2", "Mechanical Keyboard", "", "Computers", 5949, "EUR", 10),
    Product("p3", "USB-C Hub", "", "Computers", 2490, "EUR", 10),
]
SHIP_TO = {"street": "1 Main St", "city": "Springfield", "postal_code": "12345", "country": "US"}


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


def test_qty_defaults_to_one_and_lines_of_one_product_are_merged(
    client: FlaskClient, stock: Callable[..., None]
) -> None:
    stock(p1=9, p2=9)
    items = [{"product_id": "p2"}, {"product_id": "p1", "qty": 2}, {"product_id": "p2", "qty": 3}]
    answer = client.post("/orders", json={"items": items, "ship_to": SHIP_TO}, headers=ALICE)
    assert answer.json is not None
    assert [(line["product_id"], line["qty"]) for line in answer.json["items"]] == [("p2", 4), ("p1", 2)]
    assert answer.json["ship_to"] == SHIP_TO


def test_the_client_has_no_say_in_prices(client: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=9)
    answer = client.post("/orders", json={"items": [{"product_id": "p1", "unit_price": 0.01}]}, headers=ALICE)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["errors"][0]["member"] == "items.0.unit_price"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "items required"),
        ({"items": []}, "items required"),
        ({"items": [{"product_id": "p1", "qty": 0}]}, "items.0.qty"),
        ({"items": [{"product_id": "p1", "qty": -1}]}, "items.0.qty"),
        ({"items": [{"product_id": "p1", "qty": 1000}]}, "items.0.qty"),
        ({"items": [{"product_id": "p1", "qty": 1.5}]}, "items.0.qty"),
        ({"items": [{"product_id": "p1", "qty": "2"}]}, "items.0.qty"),
        ({"items": [{"product_id": "p1", "qty": True}]}, "items.0.qty"),
        ({"items": [{"product_id": "p1", "qty": None}]}, "items.0.qty"),
        ({"items": [{"product_id": "p1", "qty": 10**30}]}, "items.0.qty"),
        ({"items": [{"qty": 1}]}, "items.0.product_id"),
        ({"items": [{"product_id": "p\x001"}]}, "items.0.product_id"),
        ({"items": [{"product_id": 1}]}, "items.0.product_id"),
        ({"items": "p1"}, "items"),
        ({"items": [{"product_id": "p1"}] * 51}, "items"),
        ({"items": [{"product_id": "p1", "qty": 999}, {"product_id": "p1"}]}, "at most 999 of one product: p1"),
        ({"items": [{"product_id": "p1"}], "user": "u-bob"}, "user"),
        ({"items": [{"product_id": "p1"}], "ship_to": {"street": "x"}}, "ship_to.city"),
        ({"items": [{"product_id": "p9"}]}, "unknown product: p9"),
        ({"items": [{"product_id": "p1"}, {"product_id": "dollar"}]}, "one order takes one currency"),
    ],
)
def test_what_cannot_be_ordered_is_refused_and_nothing_moves(
    client: FlaskClient, stock: Callable[..., None], left: Callable[[str], int], body: Any, error: str
) -> None:
    stock(p1=2000)
    stock(dollar=5, currency="USD")
    answer = client.post("/orders", json=body, headers=ALICE)
    assert answer.status_code == 400, answer.text
    assert answer.json is not None
    assert answer.json["error"].startswith(error)
    assert left("p1") == 2000
    assert client.get("/orders", headers=ALICE).json == []


def test_too_little_stock_names_each_short_product_and_nothing_moves(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], left: Callable[[str], int]
) -> None:
    stock(p1=5, p2=1, p3=0)
    answer = place(p1=1, p2=2, p3=1)
    assert answer.status_code == 409
    assert answer.json["code"] == "out_of_stock"
    assert answer.json["products"] == [
        {"product_id": "p2", "wanted": 2, "available": 1},
        {"product_id": "p3", "wanted": 1, "available": 0},
    ]
    assert (left("p1"), left("p2")) == (5, 1)
    assert client.get("/orders", headers=ALICE).json == []


def test_a_strangers_order_is_not_found_and_not_listed(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(p1=5)
    location = place(p1=1).headers["Location"]
    unknown = "/orders/o-" + "0" * 32
    for url in (location, unknown, "/orders/1", "/orders/o-x", "/orders/o-" + "A" * 32):
        answer = client.get(url, headers=BOB)
        assert (answer.status_code, answer.json["error"]) == (404, "not found")  # type: ignore[index]
    assert client.post(f"{location}/cancel", headers=BOB).status_code == 404
    assert client.get("/orders", headers=BOB).json == []
    assert client.get(location, headers=ALICE).json["status"] == "placed"  # type: ignore[index]


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


def test_orders_are_filtered_by_status(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(p1=50)
    kept, cancelled = place(p1=1), place(p1=1)
    client.post(f"{cancelled.headers['Location']}/cancel", headers=ALICE)
    for status, order in (("placed", kept), ("cancelled", cancelled)):
        answer = client.get(f"/orders?status={status}", headers=ALICE)
        assert [found["order_id"] for found in answer.json or []] == [order.json["order_id"]]
    assert client.get("/orders?status=lost", headers=ALICE).status_code == 400


def test_a_forged_page_key_is_refused(client: FlaskClient) -> None:
    for key in ("", "x", "WyJ4Il0", "WzFd", "W10"):
        assert client.get(f"/orders?after={key}", headers=ALICE).status_code == 400


def test_cancelling_puts_the_stock_back_once(
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


@pytest.mark.parametrize("order_id", ["o-1", "o-" + "0" * 32])
def test_an_unknown_order_cannot_be_cancelled(client: FlaskClient, order_id: str) -> None:
    assert client.post(f"/orders/{order_id}/cancel", headers=ALICE).status_code == 404


def test_a_list_of_orders_takes_one_statement_however_long_it_is(
    client: FlaskClient,
    stock: Callable[..., None],
    place: Callable[..., Any],
    db: Database,
    count_statements: Callable[..., Any],
) -> None:
    stock(p1=50)
    for _ in range(4):
        place(p1=1)
    with count_statements(db) as statements:
        assert len(client.get("/orders", headers=ALICE).json) == 4  # type: ignore[arg-type]
    assert len(statements) == 1
    with count_statements(db) as statements:
        place(p1=1)
    assert len(statements) == 1
