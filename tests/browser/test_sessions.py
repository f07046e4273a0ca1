"""Sessions that end or expire while pages are open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from browser.visitor import Visit, Visitor, visits
from chassis.auth.tokens import EXPIRED_LEEWAY_SECONDS
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

TTL_SECONDS = 10


@pytest.fixture(scope="module")
def short_lived() -> Iterator[Shop]:
    """Run a shop whose tokens expire after ten seconds."""
    user_port, order_port = free_ports()
    environment = {"TOKEN_TTL_SECONDS": str(TTL_SECONDS)}
    with (
        fresh_folder() as data,
        Shop(data, user_port=user_port, order_port=order_port, environment=environment) as shop,
    ):
        yield shop


@pytest.fixture(params=[True, False], ids=["JavaScript", "no JavaScript"])
def customer(request: pytest.FixtureRequest, browser: Browser, short_lived: Shop) -> Iterator[Visitor]:
    with visits(browser, short_lived) as visit:
        customer = visit(java_script_enabled=request.param)
        customer.join()
        yield customer


def let_the_token_expire(customer: Visitor) -> None:
    customer.page.wait_for_timeout((TTL_SECONDS + EXPIRED_LEEWAY_SECONDS + 1) * 1000)


def test_form_arrives_although_its_token_has_expired(customer: Visitor) -> None:
    customer.add("p1", 2)
    customer.press("Go to checkout")
    customer.fill_address(street="Baker Street 221b")
    first = token(customer)
    let_the_token_expire(customer)
    customer.press("Place the order")
    customer.sees("Thank you!")
    customer.sees("Baker Street 221b")
    assert customer.basket_count() == ""

    customer.open("/account")
    customer.fill(name="Ada Lovelace")
    second = token(customer)
    let_the_token_expire(customer)
    customer.press("Save")
    assert customer.heading == "Hello, Ada Lovelace"
    assert len({first, second, token(customer)}) == 3


def test_page_opens_although_the_token_has_expired(customer: Visitor) -> None:
    before = token(customer)
    let_the_token_expire(customer)
    customer.open("/shop/orders")
    assert (customer.heading, customer.path) == ("Your orders", "/shop/orders")
    assert token(customer) != before


def token(visitor: Visitor) -> Any:
    return next(each["value"] for each in visitor.context.cookies() if each["name"] == "shop-token")


def test_signing_out_in_one_tab_ends_the_other(visit: Visit) -> None:
    customer = visit()
    customer.join()
    other = customer.context.new_page()
    other.goto(customer.url("/shop/orders"))
    expect(other.locator("h1")).to_have_text("Your orders")

    customer.sign_out()
    other.reload()
    expect(other.locator("h1")).to_have_text("Sign in")


def test_session_that_another_device_ended_leads_to_sign_in_and_back(visit: Visit) -> None:
    customer, phone = visit(), visit()
    customer.join()
    customer.add("p1")
    customer.press("Go to checkout")
    phone.username = customer.username
    phone.open("/account/sign-in")
    phone.sign_in()
    phone.open("/account/devices")
    phone.press("Sign out all other devices")
    customer.page.wait_for_timeout(2000)

    customer.type_address()
    customer.press("Continue")
    assert customer.heading == "Sign in"
    customer.sign_in()
    assert (customer.heading, customer.basket_count()) == ("Checkout", "1")


def test_session_cookies_are_hidden_from_scripts(visit: Visit) -> None:
    customer = visit()
    customer.join()
    kept = {each["name"]: each for each in customer.context.cookies()}
    assert {name for name in kept if kept[name]["httpOnly"] and kept[name]["sameSite"] == "Lax"} == set(kept)
    assert {name: each["path"] for name, each in kept.items()} == {
        "shop-token": "/",
        "shop-refresh": "/account",
        "shop-device": "/account",
    }
    assert customer.evaluate("() => document.cookie") == ""
