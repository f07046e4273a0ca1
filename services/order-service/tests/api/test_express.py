"""The express lane answers as the framework does, and leaves to it whatever is unusual."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from chassis.testing.postgres import bearer, both_roads, express_lane, without_framework

ALICE, MALLORY = bearer("u-alice", "alice"), bearer("u-mallory", "mallory")
ITEMS = {"items": [{"product_id": "p1", "qty": 2}]}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def order_id(stock: Callable[..., None], place: Callable[..., Any]) -> str:
    stock(p1=100, p2=100)
    place(key="first", p1=1, p2=2)
    return str(place(key="second", p1=3).json["order_id"])


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/products/p1", {}),
        ("/orders/{order_id}", ALICE),
        ("/orders", ALICE),
        ("/orders?limit=1&status=placed", ALICE),
        ("/orders?limit=1", ALICE | {"X-Request-ID": "mine"}),
    ],
)
def test_plain_requests_are_answered_without_the_framework_and_alike(
    app: Flask, order_id: str, path: str, headers: dict[str, str]
) -> None:
    app.test_client().get("/orders", headers=ALICE)  # the token is known from here on
    with without_framework(app):
        answer = app.test_client().get(path.format(order_id=order_id), headers=headers)
    assert answer.status_code == 200
    express, ordinary = both_roads(app, "GET", path.format(order_id=order_id), headers=headers)
    assert express == ordinary


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (("GET", "/orders/{order_id}", ALICE | {"If-None-Match": "*"}), 304),
        (("GET", "/orders/{order_id}", MALLORY), 404),
        (("GET", "/orders/{order_id}", {}), 401),
        (("GET", "/orders/{order_id}", {"Authorization": ALICE["Authorization"].removeprefix("Bearer ")}), 401),
        (("GET", "/orders/{order_id}", {"Authorization": ALICE["Authorization"].replace("Bearer", "Basic")}), 401),
        (("GET", "/orders/{order_id}", {"Authorization": ALICE["Authorization"].replace("Bearer", "bearer")}), 200),
        (("GET", "/orders/{order_id}", {"Authorization": ALICE["Authorization"] + "x"}), 401),
        (("GET", "/orders/o-nothing", ALICE), 404),
        (("GET", "/orders/export", ALICE), 200),
        (("GET", "/orders/", ALICE), 404),
        (("GET", "/orders?limit=0", ALICE), 400),
        (("GET", "/orders?limit=1&limit=2", ALICE), 200),
        (("GET", "/orders?limit=%31", ALICE), 200),
        (("GET", "/orders?nonsense=1", ALICE), 400),
        (("GET", "/products/nothing", {}), 404),
        (("GET", "/products/p%C3%A9", {}), 404),
        (("HEAD", "/products/p1", {}), 200),
        (("DELETE", "/products/p1", {}), 405),
    ],
)
def test_unusual_requests_are_answered_alike(
    app: Flask, order_id: str, asked: tuple[str, str, dict[str, str]], status: int
) -> None:
    for who in (ALICE, MALLORY):
        app.test_client().get("/orders", headers=who)
    method, path, headers = asked
    express, ordinary = both_roads(app, method, path.format(order_id=order_id), headers=headers)
    assert express == ordinary
    assert express.status == status


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ((b'{"items": [{"product_id": "p1", "qty": 101}]}', JSON), 409),
        ((b'{"items": [{"product_id": "p9"}]}', JSON), 400),
        ((b'{"items": []}', JSON), 400),
        ((b'{"items": [{"product_id": "p1"}], "user": "bob"}', JSON), 400),
        ((b'{"items": ', JSON), 400),
        ((b"[]", JSON), 400),
        ((b"", JSON), 400),
        ((b'{"items": [{"product_id": "p1", "qty": 3}]}', JSON | {"Idempotency-Key": "second"}), 201),
        ((b'{"items": [{"product_id": "p1", "qty": 4}]}', JSON | {"Idempotency-Key": "second"}), 422),
        ((b'{"items": [{"product_id": "p1"}]}', JSON | {"Idempotency-Key": "two words"}), 400),
        ((b'{"items": [{"product_id": "p1"}]}', {"Content-Type": "text/plain"}), 415),
        ((b" " * 65_537, JSON), 413),
    ],
)
def test_orders_that_move_nothing_are_answered_alike(
    app: Flask, order_id: str, asked: tuple[bytes, dict[str, str]], status: int
) -> None:
    body, headers = asked
    app.test_client().get("/orders", headers=ALICE)
    express, ordinary = both_roads(app, "POST", "/orders", headers=ALICE | headers, data=body)
    assert express == ordinary
    assert express.status == status


def test_an_order_is_placed_without_the_framework(app: Flask, order_id: str) -> None:
    app.test_client().get("/orders", headers=ALICE)
    with without_framework(app):
        placed = [app.test_client().post(path, json=ITEMS, headers=ALICE) for path in ("/orders", "/create_order")]
    ordinary = app.test_client().post("/orders", json=ITEMS, headers=ALICE, content_type="application/json; charset=x")
    assert [answer.status_code for answer in (*placed, ordinary)] == [201] * 3
    assert sorted(placed[0].headers.keys()) == sorted(ordinary.headers.keys())


def test_a_session_that_ended_is_left_to_the_framework_which_refuses_it(
    app: Flask, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = app.test_client()
    assert client.get("/orders", headers=ALICE).status_code == 200
    monkeypatch.setattr(express_lane(app), "_has_ended", lambda session_id: session_id == "s-1")
    monkeypatch.setitem(app.extensions, "has_ended", lambda session_id: session_id == "s-1")
    assert client.get("/orders", headers=ALICE).status_code == 401
