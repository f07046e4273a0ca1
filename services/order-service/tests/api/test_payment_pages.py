"""From the checkout to the payment page and back: what the customer is told, and what comes next."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from scripted_provider import ScriptedProvider
from werkzeug.test import TestResponse

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser, messages
from order_service.payments.provider_for_tests import ProviderForTests

DELIVERY = {
    "to": "other", "recipient": "Ada", "street": "Weg 1", "city": "Bonn", "postal_code": "53111", "country": "DE",
    "email": "ada@example.com",
}  # fmt: skip
BOB = bearer("u-bob", "bob")["Authorization"].removeprefix("Bearer ")
PAGES = "SELECT status FROM payments ORDER BY id"


@pytest.fixture
def pays_on_test_pages(app: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the shop take payments on its test pages."""
    services: Any = app.services
    provider = ProviderForTests(services.database, services.settings.service_credential, "http://localhost:5002")
    monkeypatch.setattr(services, "terms", services.terms._replace(payment_minutes=30))
    monkeypatch.setattr(services, "payments", provider)


@pytest.fixture
def shopping(alices: FlaskClient, stock: Callable[..., None]) -> FlaskClient:
    """Return Alice's browser with two of p1 in the basket, at 10.00."""
    stock(p1=50)
    alices.post("/shop/basket", data={"product_id": "p1", "qty": "2", "do": "add"})
    return alices


def buy(shopping: FlaskClient) -> str:
    """Place the order and return where the browser is led."""
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="(.*?)">', shopping.get("/shop/checkout").text)
    answer = shopping.post("/shop/checkout", data={**dict(hidden), **DELIVERY})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def led_to(answer: TestResponse) -> str:
    """Return where the page leads by itself, and by its link."""
    (refresh,) = re.findall(r'<meta http-equiv="refresh" content="0; url=(.*?)">', answer.text)
    assert f'<a class="button" href="{refresh}">' in answer.text
    return html.unescape(refresh)


def pay(shopping: FlaskClient, way: str, do: str) -> TestResponse:
    """Go on to the payment page and press a button there; return the page to which it leads."""
    page = urlsplit(led_to(shopping.get(way))).path
    answer = shopping.post(page, data={"do": do})
    assert answer.status_code == 303
    return shopping.get(answer.headers["Location"])


def badge(answer: TestResponse) -> str:
    found = re.search(r'<span class="badge.*?">(.*?)</span>', answer.text)
    assert found
    return found[1]


def may_pay(answer: TestResponse) -> bool:
    return '/pay"><button' in answer.text


@pytest.mark.usefixtures("pays_on_test_pages")
def test_the_order_leads_to_the_payment_and_back(shopping: FlaskClient) -> None:
    way = buy(shopping)
    assert re.fullmatch(r"/shop/orders/o-\w{32}/pay", way)
    assert shopping.get_cookie("shop-basket") is None
    assert led_to(shopping.get(way)).startswith("http://localhost:5002/shop/test-payment/")
    order = shopping.get(way.removesuffix("/pay"))
    assert (badge(order), may_pay(order)) == ("Not paid yet", True)
    assert "Please pay until" in order.text
    order = pay(shopping, way, "approve")
    assert (badge(order), may_pay(order)) == ("Paid", False)
    assert "Thank you! We have received your payment. We write to ada@example.com when it leaves us." in order.text
    assert shopping.get(way).headers["Location"] == way.removesuffix("/pay")


@pytest.mark.usefixtures("pays_on_test_pages")
def test_a_declined_payment_is_tried_again_on_another_page(shopping: FlaskClient, db: Database) -> None:
    way = buy(shopping)
    first = led_to(shopping.get(way))
    order = pay(shopping, way, "decline")
    assert (badge(order), may_pay(order)) == ("Payment declined", True)
    assert "Nothing was charged. Try again, with another card if you like." in order.text
    assert shopping.get(way).headers["Location"] == way.removesuffix("/pay")
    assert shopping.post(way).headers["Location"] == way
    assert led_to(shopping.get(way)) != first
    assert badge(pay(shopping, way, "approve")) == "Paid"
    assert [row.status for row in db.fetch_all(PAGES)] == ["failed", "paid"]


@pytest.mark.usefixtures("pays_on_test_pages")
def test_paying_later_leads_to_the_same_page_from_the_list(shopping: FlaskClient, db: Database) -> None:
    way = buy(shopping)
    page = led_to(shopping.get(way))
    orders = shopping.get("/shop/orders")
    assert (badge(orders), f'action="{way}"' in orders.text) == ("Not paid yet", True)
    for _ in range(2):
        assert shopping.post(way).headers["Location"] == way
        assert led_to(shopping.get(way)) == page
    assert [row.status for row in db.fetch_all(PAGES)] == ["open"]
    pay(shopping, way, "twice")
    orders = shopping.get("/shop/orders")
    assert (badge(orders), may_pay(orders)) == ("Paid", False)
    assert shopping.post(way).headers["Location"] == way.removesuffix("/pay")


@pytest.mark.usefixtures("pays_on_test_pages")
def test_thanks_are_shown_only_for_a_payment_that_came(shopping: FlaskClient) -> None:
    way = buy(shopping)
    order = way.removesuffix("/pay")
    waiting = shopping.get(f"{order}?done=paid")
    assert "We are waiting for the payment provider" in waiting.text
    assert ("Thank you" in waiting.text, may_pay(waiting), "data-retry" in waiting.text) == (False, False, True)
    pay(shopping, way, "approve")
    assert "Thank you! We have received your payment." in shopping.get(f"{order}?done=paid").text
    assert "data-retry" not in shopping.get(f"{order}?done=paid").text


def test_while_the_provider_is_away_the_order_stays_and_is_paid_later(
    shopping: FlaskClient, provider: ScriptedProvider
) -> None:
    provider.away = {"open"}
    order = buy(shopping)
    assert order.endswith("?done=payment-unavailable")
    assert messages(shopping.get(order)) == [
        "Your order is placed, but paying is not possible at the moment. Please try again in a few minutes."
    ]
    assert may_pay(shopping.get(order))
    way = urlsplit(order).path + "/pay"
    assert shopping.post(way).headers["Location"] == order
    assert shopping.get(way).headers["Location"] == urlsplit(order).path
    provider.away = set()
    assert shopping.post(way).headers["Location"] == way
    assert led_to(shopping.get(way))


@pytest.mark.usefixtures("pays_on_test_pages")
def test_nobody_pays_or_sees_the_payment_of_another_customer(app: Api, shopping: FlaskClient, db: Database) -> None:
    way = buy(shopping)
    bobs = browser(app, BOB)
    assert bobs.post(way).status_code == 404
    assert bobs.get(way).headers["Location"] == way.removesuffix("/pay")
    assert bobs.get(way.removesuffix("/pay")).status_code == 404
    forged = shopping.post(way, headers={"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    assert [row.status for row in db.fetch_all(PAGES)] == ["open"]


@pytest.mark.usefixtures("pays_on_test_pages")
def test_an_order_whose_time_is_over_offers_no_payment(shopping: FlaskClient, operator: Database) -> None:
    order = buy(shopping).removesuffix("/pay")
    operator.fetch_all("UPDATE orders SET pay_until = now() - interval '1 second' RETURNING id", {})
    page = shopping.get(order)
    assert (badge(page), may_pay(page)) == ("Not paid", False)
    assert "The time to pay is over" in page.text
    assert not may_pay(shopping.get("/shop/orders"))


@pytest.mark.usefixtures("pays_on_test_pages")
def test_too_many_unpaid_orders_are_explained_and_nothing_is_lost(
    app: Flask, shopping: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    services: Any = app.services  # type: ignore[attr-defined]
    monkeypatch.setattr(services, "terms", services.terms._replace(most_unpaid_orders=1))
    buy(shopping)
    shopping.post("/shop/basket", data={"product_id": "p1", "do": "add"})
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="(.*?)">', shopping.get("/shop/checkout").text)
    answer = shopping.post("/shop/checkout", data={**dict(hidden), **DELIVERY})
    assert answer.status_code == 409
    assert messages(answer) == [
        'You have unpaid orders of these products. <a href="/shop/orders">Pay or cancel them</a> first, or order less.'
    ]
    assert 'value="Weg 1"' in answer.text
    assert shopping.get_cookie("shop-basket") is not None


@pytest.mark.usefixtures("pays_on_test_pages")
def test_a_paid_order_is_cancelled_and_the_money_announced(shopping: FlaskClient) -> None:
    way = buy(shopping)
    pay(shopping, way, "approve")
    order = way.removesuffix("/pay")
    assert "You get €20.00 back, the way you paid." in shopping.get(f"{order}/cancel").text
    shopping.post(f"{order}/cancel")
    page = shopping.get(order)
    assert (badge(page), may_pay(page)) == ("Cancelled", False)
    assert "€20.00 is on the way back to you" in page.text


@pytest.mark.usefixtures("pays_on_test_pages")
def test_a_cancelled_unpaid_order_charged_nothing(shopping: FlaskClient) -> None:
    order = buy(shopping).removesuffix("/pay")
    assert "back, the way you paid" not in shopping.get(f"{order}/cancel").text
    shopping.post(f"{order}/cancel")
    page = shopping.get(order)
    assert (badge(page), may_pay(page)) == ("Cancelled", False)
    assert "It was not paid, and nothing was charged." in page.text
    assert shopping.post(f"{order}/pay").headers["Location"] == order
