"""The checkout: address, email, shipping, tax and total."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.service_client import ServiceCallFailed
from chassis.testing.http import bearer, field_errors, field_values, messages
from order_service.orders.saved_address import SavedAddresses

ADDRESS = {"recipient": "Ada", "street": "Weg 1", "city": "Bonn", "postal_code": "53111", "country": "DE"}
DELIVERY = ADDRESS | {"email": "ada@example.com"}


class UserService:
    """Stands in for user-service: answers with a profile, or fails."""

    def __init__(self, address: object = None, *, email: object = None, fails: bool = False) -> None:
        self.address, self.email, self.fails, self.tokens = address, email, fails, list[str]()

    def get(self, _path: str, token: str) -> dict[str, Any]:
        self.tokens.append(token)
        if self.fails:
            raise ServiceCallFailed("no answer")
        return {"shipping_address": self.address, "email": self.email}


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


def totals(answer: TestResponse) -> dict[str, str]:
    """Return the rows of the sum."""
    return dict(re.findall(r"<dt[^>]*>(.*?)</dt><dd[^>]*>(.*?)</dd>", answer.text))


def methods(answer: TestResponse) -> dict[str, bool]:
    """Return the ways of shipping that the page offers, and which one is chosen."""
    found = re.findall(r'name="shipping_method" value="(.*?)" id="[^"]*"( checked)?', answer.text)
    return {method: bool(checked) for method, checked in found}


@pytest.fixture
def terms(operator: Database, app: Flask) -> None:
    """Let the shop deliver to Germany and Austria, with tax in Germany."""
    operator.fetch_all(
        """
        WITH rates AS (INSERT INTO tax_rates (country, tax_class, rate) VALUES ('DE', 'standard', 19))
        INSERT INTO shipping_methods (id, name, countries, currency, price_minor, position) VALUES
        ('parcel', 'Parcel', '{DE,AT}', 'EUR', 490, 1), ('express', 'Express', '{DE}', 'EUR', 990, 2) RETURNING id""",
        {},
    )


def buy(shopping: FlaskClient, **changes: str) -> TestResponse:
    """Open the checkout and send its form."""
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY, **changes}
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
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY}
    first = shopping.post("/shop/checkout", data=form)
    shopping.set_cookie("shop-basket", basket)  # both clicks were under way before the first answer came
    second = shopping.post("/shop/checkout", data=form)
    assert (second.status_code, second.headers["Location"]) == (303, first.headers["Location"])
    assert (left("p1"), count()) == (3, 1)


def test_a_key_with_another_basket_is_refused_and_explained(shopping: FlaskClient, count: Callable[[], int]) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY}
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
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY}
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
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY}
    stock(p1=1)
    answer = shopping.post("/shop/checkout", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/shop/basket")
    assert count() == 0


def test_products_sold_out_within_the_order_are_explained(
    shopping: FlaskClient, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch, count: Callable[[], int]
) -> None:
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY}
    pages = importlib.import_module("order_service.orders.checkout_pages")
    read = pages.delivery_form

    def read_while_others_buy(*saved: Any) -> Any:
        stock(p1=1)
        return read(*saved)

    monkeypatch.setattr(pages, "delivery_form", read_while_others_buy)
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
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY, "key": key}
    answer = shopping.post("/shop/checkout", data={name: value for name, value in form.items() if value is not None})
    assert answer.status_code == 400
    assert messages(answer) == ["Something was missing. Please look at your order and place it again."]
    assert (count(), field_values(answer)["street"]) == (0, "Weg 1")
    assert shopping.post("/shop/checkout", data=form | hidden(answer)).status_code == 303


def test_an_empty_basket_has_no_checkout(alices: FlaskClient) -> None:
    for answer in (alices.get("/shop/checkout"), alices.post("/shop/checkout", data=DELIVERY)):
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
    form = {"to": "other", **hidden(shopping.get("/shop/checkout")), **DELIVERY}
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
    def answers(*address: object, **options: Any) -> UserService:
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
    placed = shopping.post("/shop/checkout", data={"to": "saved", "email": "ada@example.com", **hidden(page)})
    assert "Saved 7" in shopping.get(placed.headers["Location"]).text


def test_a_saved_address_that_changed_under_the_page_is_shown_first(
    shopping: FlaskClient, user_service: Callable[..., UserService], count: Callable[[], int]
) -> None:
    service = user_service(ADDRESS | {"street": "Saved 7"})
    form = {"to": "saved", "email": "ada@example.com", **hidden(shopping.get("/shop/checkout"))}
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
    form = {"to": "saved", **hidden(shopping.get("/shop/checkout")), **DELIVERY}
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
    assert (answer.status_code, set(field_errors(answer))) == (400, {"street", "city", "country", "email"})
    assert service.tokens
    service.tokens.clear()
    monkeypatch.setattr(app.services, "sign_in_available", lambda: False)
    assert buy(shopping).status_code == 303
    assert service.tokens == []


def choose(shopping: FlaskClient, page: TestResponse, **changes: str) -> dict[str, str]:
    """Return the form of a page, with the shipping that it has chosen."""
    chosen = next((method for method, checked in methods(page).items() if checked), "")
    return {"to": "other", "shipping_method": chosen, **hidden(page), **DELIVERY, **changes}


@pytest.mark.usefixtures("terms")
def test_with_a_saved_address_shipping_and_tax_are_there_at_once(
    shopping: FlaskClient, user_service: Callable[..., UserService], client: FlaskClient
) -> None:
    user_service(ADDRESS, email="ada@example.com")
    page = shopping.get("/shop/checkout")
    assert methods(page) == {"parcel": True, "express": False}
    assert totals(page) == {
        "2 × Product p1": "€20.00", "Items": "€20.00", "Parcel": "€4.90", "Total": "€24.90",
        "Includes tax, 19%": "€3.98",
    }  # fmt: skip
    assert field_values(page)["email"] == "ada@example.com"
    placed = shopping.post("/shop/checkout", data=choose(shopping, page, to="saved", email="ada@example.com"))
    (order,) = client.get("/orders", headers=bearer("u-alice", "alice")).json  # type: ignore[misc]
    assert placed.headers["Location"] == f"/shop/orders/{order['order_id']}?done=placed"
    assert (order["total"], order["shipping"]["method"], order["email"]) == (24.9, "parcel", "ada@example.com")
    shown = totals(shopping.get(placed.headers["Location"]))
    assert shown == {"Items": "€20.00", "Parcel": "€4.90", "Total": "€24.90", "Includes tax, 19%": "€3.98"}


@pytest.mark.usefixtures("terms")
def test_without_a_country_the_total_says_what_is_missing(shopping: FlaskClient, count: Callable[[], int]) -> None:
    page = shopping.get("/shop/checkout")
    assert "Without shipping and tax, which depend on the country." in page.text
    assert ("Place the order" in page.text, methods(page)) == (False, {})
    first = shopping.post("/shop/checkout", data=choose(shopping, page))
    assert first.status_code == 409
    assert messages(first) == ["Please choose how we send your order to Germany, and look at the total."]
    assert (methods(first), totals(first)["Total"]) == ({"parcel": True, "express": False}, "€24.90")
    assert field_values(first)["street"] == "Weg 1"
    assert count() == 0
    assert shopping.post("/shop/checkout", data=choose(shopping, first)).status_code == 303
    assert count() == 1


@pytest.mark.usefixtures("terms")
def test_an_update_shows_the_new_total_and_keeps_what_was_typed(
    shopping: FlaskClient, count: Callable[[], int]
) -> None:
    page = shopping.get("/shop/checkout")
    form = choose(shopping, page, street="", email="not yet", shipping_method="express", do="update")
    updated = shopping.post("/shop/checkout", data=form)
    assert (updated.status_code, field_errors(updated), messages(updated)) == (200, {}, [])
    assert (methods(updated), totals(updated)["Total"]) == ({"parcel": False, "express": True}, "€29.90")
    assert (field_values(updated)["email"], field_values(updated)["city"]) == ("not yet", "Bonn")
    austria = shopping.post("/shop/checkout", data=form | {"country": "AT"})
    assert (methods(austria), totals(austria)["Total"]) == ({"parcel": True}, "€24.90")
    assert "Includes tax, 19%" not in totals(austria)
    assert count() == 0


@pytest.mark.usefixtures("terms")
def test_another_way_of_shipping_is_ordered_after_its_total_was_seen(
    shopping: FlaskClient, count: Callable[[], int]
) -> None:
    page = shopping.post("/shop/checkout", data=choose(shopping, shopping.get("/shop/checkout"), do="update"))
    answer = shopping.post("/shop/checkout", data=choose(shopping, page, shipping_method="express"))
    assert (answer.status_code, totals(answer)["Total"]) == (409, "€29.90")
    assert messages(answer) == [
        "The total has changed with the address or shipping. Please look at it, then place the order."
    ]
    assert count() == 0
    assert shopping.post("/shop/checkout", data=choose(shopping, answer)).status_code == 303


@pytest.mark.usefixtures("terms")
def test_a_country_without_shipping_is_refused_and_others_named(
    shopping: FlaskClient, count: Callable[[], int]
) -> None:
    form = choose(shopping, shopping.get("/shop/checkout"), country="NO")
    answer = shopping.post("/shop/checkout", data=form)
    assert answer.status_code == 409
    assert messages(answer) == ["We do not deliver to Norway. Please choose another address."]
    assert "We deliver to Austria and Germany." in answer.text
    assert "Place the order" not in answer.text
    assert count() == 0


@pytest.mark.usefixtures("terms")
@pytest.mark.parametrize("method", ["nothing", "express", "x" * 5000, "\x00"])
def test_a_way_of_shipping_that_is_not_there_is_chosen_again(
    shopping: FlaskClient, count: Callable[[], int], method: str
) -> None:
    page = shopping.post(
        "/shop/checkout", data=choose(shopping, shopping.get("/shop/checkout"), country="AT", do="update")
    )
    answer = shopping.post("/shop/checkout", data=choose(shopping, page, country="AT", shipping_method=method))
    assert (answer.status_code, methods(answer)) == (409, {"parcel": True})
    assert messages(answer) == ["Shipping has changed. Please choose again how we send your order."]
    assert count() == 0


@pytest.mark.usefixtures("terms")
def test_a_shipping_price_that_changes_within_the_order_is_shown(
    shopping: FlaskClient, operator: Database, monkeypatch: pytest.MonkeyPatch, count: Callable[[], int]
) -> None:
    page = shopping.post("/shop/checkout", data=choose(shopping, shopping.get("/shop/checkout"), do="update"))
    pages = importlib.import_module("order_service.orders.checkout_pages")
    place = pages.place

    def place_after_a_change(*checkout: Any) -> Any:
        operator.fetch_all("UPDATE shipping_methods SET price_minor = 590 WHERE id = 'parcel' RETURNING id", {})
        return place(*checkout)

    monkeypatch.setattr(pages, "place", place_after_a_change)
    answer = shopping.post("/shop/checkout", data=choose(shopping, page))
    assert (answer.status_code, count(), totals(answer)["Total"]) == (409, 0, "€25.90")
    assert messages(answer) == ["The price has changed. Please look at the total again."]
    assert field_values(answer)["street"] == "Weg 1"
    assert shopping.post("/shop/checkout", data=choose(shopping, answer)).status_code == 303


def test_the_email_is_needed_and_checked(shopping: FlaskClient, count: Callable[[], int]) -> None:
    assert field_errors(buy(shopping, email="")) == {"email": "Email is missing."}
    assert "email" in field_errors(buy(shopping, email="ada@"))
    assert count() == 0
