"""The customer's own orders: what happened, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser, messages
from order_service.orders.rules import FeedTooOld

BOB = bearer("u-bob", "bob")


def test_another_customers_order_is_not_found(app: Api, place: Callable[..., Any], stock: Callable[..., None]) -> None:
    stock(p1=5)
    order_id = place(p1=1).json["order_id"]
    bobs = browser(app, BOB["Authorization"].removeprefix("Bearer "))
    for path in (f"/shop/orders/{order_id}", f"/shop/orders/{order_id}/cancel"):
        assert bobs.get(path).status_code == 404
    assert bobs.post(f"/shop/orders/{order_id}/cancel").status_code == 404
    assert order_id not in bobs.get("/shop/orders").text
    assert order_id not in bobs.get("/shop/data/orders.json").text


@pytest.mark.parametrize("order_id", ["nothing", "o-" + "0" * 32, "o-%00", "%FF", "o-" + "a" * 5000])
def test_an_order_that_is_not_there_gets_a_page(alices: FlaskClient, order_id: str) -> None:
    for path in (f"/shop/orders/{order_id}", f"/shop/orders/{order_id}/cancel"):
        answer = alices.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_an_order_is_cancelled_once(
    alices: FlaskClient, place: Callable[..., Any], stock: Callable[..., None], left: Callable[[str], int]
) -> None:
    stock(p1=5)
    url = f"/shop/orders/{place(p1=2).json['order_id']}"
    assert f'href="{url}/cancel"' in alices.get(url).text
    assert "€20.00" in alices.get(f"{url}/cancel").text
    assert left("p1") == 3
    first = alices.post(f"{url}/cancel")
    assert (first.status_code, first.headers["Location"]) == (303, f"{url}?done=cancelled")
    assert messages(alices.get(first.headers["Location"])) == ["The order is cancelled."]
    assert f'href="{url}/cancel"' not in alices.get(url).text
    second = alices.post(f"{url}/cancel")
    assert (second.status_code, second.headers["Location"]) == (303, f"{url}?done=too-late")
    assert messages(alices.get(second.headers["Location"])) == ["This order can no longer be cancelled."]
    assert left("p1") == 5


def test_own_orders_are_listed_page_by_page(
    alices: FlaskClient, place: Callable[..., Any], stock: Callable[..., None]
) -> None:
    assert "No orders yet" in alices.get("/shop/orders").text
    stock(p1=50)
    ids = [place(p1=1).json["order_id"] for _ in range(21)]
    first = alices.get("/shop/orders")
    older = re.search(r'href="(/shop/orders\?after=[^"]+)"', first.text)
    second = alices.get(older[1]) if older else first
    listed = [re.findall(r'href="/shop/orders/(o-\w+)"', answer.text) for answer in (first, second)]
    assert listed == [ids[:0:-1], ids[:1]]
    assert "Newest orders" in second.text


@pytest.mark.parametrize("after", ["x", "%00", "x" * 1501, "%FF"])
def test_a_position_that_no_link_has_is_refused(alices: FlaskClient, after: str) -> None:
    assert alices.get(f"/shop/orders?after={after}").status_code == 400


def test_own_data_is_downloaded(alices: FlaskClient, place: Callable[..., Any], stock: Callable[..., None]) -> None:
    stock(p1=5)
    order_id = place(p1=1).json["order_id"]
    answer = alices.get("/shop/data/orders.json")
    assert [order["order_id"] for order in answer.json["orders"]] == [order_id]  # type: ignore[index]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="orders.json"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_while_ended_sessions_cannot_be_known_the_page_says_so_and_retries(
    app: Api, alices: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_ended(_session_id: str) -> bool:
        raise FeedTooOld

    monkeypatch.setattr(app.services, "has_ended", has_ended)
    answer = alices.get("/shop/orders")
    assert (answer.status_code, answer.mimetype, answer.headers["Retry-After"]) == (503, "text/html", "1")
    assert "data-retry" in answer.text
    assert alices.get("/shop").status_code == 200
