"""Checkout and own orders."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.http.openapi import Api
from chassis.service_client import ServiceCallFailed
from chassis.testing.http import bearer, browser, field_errors, field_values, messages
from order_service.orders.rules import FeedTooOld
from order_service.orders.saved_address import SavedAddresses

BOB = bearer("u-bob", "bob")
ADDRESS = {"recipient": "Ada", "street": "Weg 1", "city": "Bonn", "postal_code": "53111", "country": "DE"}


class UserService:
    """Stands in for user-service: answers with a profile, or fails."""

    def __init__(self, address: object = None, *, fails: bool = False) -> None:
        self.address, self.fails, self.tokens = address, fails, list[str]()

    def get(self, _path: str, token: str) -> dict[str, Any]:
        self.tokens.append(token)
        if self.fails:
            raise ServiceCallFailed("no answer")
        return {"shipping_address": self.address}


@pytest.fixture
def shopping(alices: FlaskClient, stock: Callable[..., None]) -> FlaskClient:
    """Return Alice's browser with two of p1 in the basket, at 10.00."""
    stock(p1=5)
    alices.post("/shop/basket", data={"product_id": "p1", "qty": "2", "do": "add"})
    return alices


@pytest.fixture
def count(client: FlaskClient, app: Flask) -> Callable[[], int]:
    return lambda: len(client.get("/orders", headers=bearer("u-alice", "alice")).json)  # type: ignore[arg-type]


def hidden(answer: TestResponse) -> dict[str, str]:
    """Return the hidden fields of the checkout."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="(.*?)">', answer.text))


def buy(shopping: FlaskClient, **changes: str) -> TestResponse:
    """Open the checkout and send its form."""
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS, **changes}
    return shopping.post("/shop/checkout", data=form)


def test_an_order_is_placed_shown_and_the_basket_emptied(shopping: FlaskClient, left: Callable[[str], int]) -> None:
    answer = buy(shopping)
    assert answer.status_code == 303
    order = shopping.get(answer.headers["Location"])
    assert messages(order) == ["Thank you! Your order is placed."]
    assert "Weg 1" in order.text
    assert "53111 Bonn" in order.text
    assert "Germany" in order.text
    assert "€20.00" in order.text
    assert shopping.get_cookie("shop-basket") is None
    assert left("p1") == 3
    assert "Product p1" in shopping.get("/shop/orders").text


def test_the_same_form_sent_twice_places_one_order(
    shopping: FlaskClient, left: Callable[[str], int], count: Callable[[], int]
) -> None:
    basket = shopping.get_cookie("shop-basket").value  # type: ignore[union-attr]
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS}
    first = shopping.post("/shop/checkout", data=form)
    shopping.set_cookie("shop-basket", basket)  # both clicks were under way before the first answer came
    second = shopping.post("/shop/checkout", data=form)
    assert (second.status_code, second.headers["Location"]) == (303, first.headers["Location"])
    assert (left("p1"), count()) == (3, 1)


def test_a_key_with_another_basket_is_refused_and_explained(shopping: FlaskClient, count: Callable[[], int]) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS}
    shopping.post("/shop/checkout", data=form)
    shopping.post("/shop/basket", data={"product_id": "p1", "qty": "1", "do": "add"})
    answer = shopping.post("/shop/checkout", data=form | {"total": "1000"})
    assert answer.status_code == 422
    assert messages(answer) == ["This order was sent before. Look at your orders before you send it again."]
    assert count() == 1


def test_wrong_fields_are_named_and_what_was_typed_stays(shopping: FlaskClient, count: Callable[[], int]) -> None:
    key = hidden(shopping.get("/shop/checkout"))["key"]
    answer = buy(shopping, street="", country="", city="C" * 101, recipient='"><b>', key=key)
    assert answer.status_code == 400
    assert field_errors(answer) == {
        "street": "Street is missing.",
        "city": "City may have at most 100 characters.",
        "country": "Country is missing.",
    }
    assert field_values(answer)["recipient"] == '"><b>'
    assert field_values(answer)["postal_code"] == "53111"
    assert hidden(answer)["key"] == key
    assert count() == 0


def test_a_price_that_changed_under_the_page_is_shown_first(
    shopping: FlaskClient, stock: Callable[..., None], count: Callable[[], int]
) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS}
    stock(p1=5, price_minor=1100)
    answer = shopping.post("/shop/checkout", data=form)
    assert answer.status_code == 409
    assert messages(answer) == ["Prices or your basket have changed. Please look at the total again."]
    assert "€22.00" in answer.text
    assert field_values(answer)["street"] == "Weg 1"
    assert count() == 0
    assert shopping.post("/shop/checkout", data=form | hidden(answer)).status_code == 303


def test_products_sold_out_meanwhile_lead_back_to_the_basket(
    shopping: FlaskClient, stock: Callable[..., None], count: Callable[[], int]
) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS}
    stock(p1=1)
    answer = shopping.post("/shop/checkout", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/shop/basket")
    assert count() == 0


def test_products_sold_out_within_the_order_are_explained(
    shopping: FlaskClient, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch, count: Callable[[], int]
) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS}
    pages = importlib.import_module("order_service.orders.pages")
    read = pages.address_form

    def read_while_others_buy() -> Any:
        stock(p1=1)
        return read()

    monkeypatch.setattr(pages, "address_form", read_while_others_buy)
    answer = shopping.post("/shop/checkout", data=form)
    assert answer.status_code == 409
    assert messages(answer) == ["Somebody else was faster: not everything in your basket is still there."]
    assert "Only 1 left" in answer.text
    assert count() == 0


@pytest.mark.parametrize("key", ["a b", "\u00e9", "x" * 256, "a\x00"])
def test_a_key_that_no_page_made_is_refused(shopping: FlaskClient, key: str, count: Callable[[], int]) -> None:
    assert buy(shopping, key=key).status_code == 400
    assert count() == 0


@pytest.mark.parametrize("key", ["", " ", None])
def test_a_form_without_a_key_is_shown_again_with_one(
    shopping: FlaskClient, key: str | None, count: Callable[[], int]
) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS, "key": key}
    answer = shopping.post("/shop/checkout", data={name: value for name, value in form.items() if value is not None})
    assert answer.status_code == 400
    assert messages(answer) == ["Something was missing. Please look at your order and place it again."]
    assert (count(), field_values(answer)["street"]) == (0, "Weg 1")
    assert shopping.post("/shop/checkout", data=form | hidden(answer)).status_code == 303


def test_an_empty_basket_has_no_checkout(alices: FlaskClient) -> None:
    for answer in (alices.get("/shop/checkout"), alices.post("/shop/checkout", data=ADDRESS)):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/shop/basket")


def test_the_basket_survives_the_way_to_the_sign_in(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5)
    visitor.post("/shop/basket", data={"product_id": "p1", "do": "add"})
    answer = visitor.get("/shop/checkout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sign-in?next=%2Fshop%2Fcheckout")
    assert visitor.get_cookie("shop-basket") is not None


def test_an_expired_token_leads_the_form_over_the_renewal(
    shopping: FlaskClient, monkeypatch: pytest.MonkeyPatch, count: Callable[[], int]
) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **ADDRESS}
    with monkeypatch.context() as an_hour_ago:
        an_hour_ago.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: 1_000_000_000)
        expired = bearer("u-alice", "alice")["Authorization"].removeprefix("Bearer ")
    valid = shopping.get_cookie("shop-token").value  # type: ignore[union-attr]
    shopping.set_cookie("shop-token", expired)
    answer = shopping.post("/shop/checkout", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (307, "/account/renew?next=%2Fshop%2Fcheckout")
    assert count() == 0
    shopping.set_cookie("shop-token", valid)
    assert shopping.post("/shop/checkout", data=form).status_code == 303
    assert count() == 1


@pytest.fixture
def user_service(app: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[..., UserService]:
    def answers(*address: object, **options: bool) -> UserService:
        service = UserService(*address, **options)
        monkeypatch.setattr(app.services, "saved_addresses", SavedAddresses(service))  # type: ignore[arg-type]
        return service

    return answers


def test_the_saved_address_is_offered_and_used(shopping: FlaskClient, user_service: Callable[..., UserService]) -> None:
    service = user_service(ADDRESS | {"street": "Saved 7"})
    page = shopping.get("/shop/checkout")
    assert "Your saved address" in page.text
    assert "Saved 7" in page.text
    assert set(service.tokens) == {shopping.get_cookie("shop-token").value}  # type: ignore[union-attr]
    placed = shopping.post("/shop/checkout", data={"to": "saved", **hidden(page)})
    assert "Saved 7" in shopping.get(placed.headers["Location"]).text


def test_a_saved_address_that_changed_under_the_page_is_shown_first(
    shopping: FlaskClient, user_service: Callable[..., UserService], count: Callable[[], int]
) -> None:
    service = user_service(ADDRESS | {"street": "Saved 7"})
    form = {"to": "saved", **hidden(shopping.get("/shop/checkout"))}
    service.address = ADDRESS | {"street": "Moved 8"}
    answer = shopping.post("/shop/checkout", data=form)
    assert (answer.status_code, count()) == (409, 0)
    assert messages(answer) == ["Your saved address has changed. Please look at it again."]
    assert "Moved 8" in answer.text
    placed = shopping.post("/shop/checkout", data=form | hidden(answer))
    assert "Moved 8" in shopping.get(placed.headers["Location"]).text


def test_a_saved_address_that_cannot_be_had_is_not_replaced_by_a_typed_one(
    shopping: FlaskClient, user_service: Callable[..., UserService], count: Callable[[], int]
) -> None:
    service = user_service(ADDRESS | {"street": "Saved 7"})
    form = {"to": "saved", **hidden(shopping.get("/shop/checkout")), **ADDRESS}
    service.fails = True
    assert shopping.post("/shop/checkout", data=form).status_code == 409
    assert count() == 0


def test_another_address_can_be_typed_beside_the_saved_one(
    shopping: FlaskClient, user_service: Callable[..., UserService]
) -> None:
    user_service(ADDRESS | {"street": "Saved 7"})
    placed = buy(shopping, to="other", street="Typed 9")
    assert "Typed 9" in shopping.get(placed.headers["Location"]).text


@pytest.mark.parametrize(
    "address",
    [
        None,
        {},
        [],
        "Weg 1",
        7,
        {"street": "Weg 1"},
        ADDRESS | {"country": {}},
        ADDRESS | {"country": "XX"},
        ADDRESS | {"x": 1},
    ],
)
def test_what_is_no_address_is_not_offered(
    shopping: FlaskClient, user_service: Callable[..., UserService], address: object
) -> None:
    user_service(address)
    page = shopping.get("/shop/checkout")
    assert page.status_code == 200
    assert "Your saved address" not in page.text
    assert buy(shopping).status_code == 303


def test_while_user_service_is_away_the_address_is_typed(
    app: Api, shopping: FlaskClient, user_service: Callable[..., UserService], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = user_service(fails=True)
    assert "Your saved address" not in shopping.get("/shop/checkout").text
    answer = shopping.post("/shop/checkout", data={"to": "saved", **hidden(shopping.get("/shop/checkout"))})
    assert (answer.status_code, set(field_errors(answer))) == (400, {"street", "city", "country"})
    assert service.tokens
    service.tokens.clear()
    monkeypatch.setattr(app.services, "sign_in_available", lambda: False)
    assert buy(shopping).status_code == 303
    assert service.tokens == []


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
