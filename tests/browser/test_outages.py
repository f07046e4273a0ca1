"""A database or a service that is away: pages say so, and go on by themselves when it is back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from browser.visitor import Visit, Visitor
from localshop.shop import Shop

AWAY = 503


@pytest.fixture
def without_postgres(shop: Shop) -> Iterator[None]:
    """Restore the database after the test."""
    assert shop.postgres
    yield
    if not shop.postgres.running:
        shop.postgres.start()
    wait_until_ready(shop)


@pytest.fixture
def without_user_service(shop: Shop) -> Iterator[None]:
    """Restore user-service after the test."""
    yield
    shop.user.thaw()
    if not shop.user.running:
        shop.user.start()
    wait_until_ready(shop)
    time.sleep(1)  # order-service asks for ended sessions every half second


def wait_until_ready(shop: Shop) -> None:
    for service in shop.services:
        service.wait_until_ready()


@pytest.fixture
def customer(visit: Visit) -> Visitor:
    """Return a customer with a saved address, and something in the basket."""
    customer = visit()
    customer.join()
    customer.open("/account/address")
    customer.fill_address()
    customer.press("Save")
    customer.add("p1")
    customer.expects(AWAY)
    return customer


@pytest.mark.usefixtures("without_postgres")
def test_pages_say_that_the_database_is_away_and_recover(customer: Visitor, shop: Shop) -> None:
    assert shop.postgres
    shop.postgres.stop()
    for path in ("/shop", "/shop/products/p1", "/shop/basket", "/shop/orders", "/account", "/account/devices"):
        response = customer.open(path)
        assert (response.status, customer.heading) == (AWAY, "We will be back in a moment")
        assert int(response.headers["retry-after"]) > 0
        expect(customer.page.get_by_role("banner")).to_contain_text("Basket")
    shop.postgres.start()
    expect(customer.page.locator("h1")).to_have_text("Devices", timeout=30_000)
    customer.open("/shop/checkout")
    assert customer.heading == "Checkout"


@pytest.mark.usefixtures("without_postgres")
def test_reload_sends_a_form_that_met_an_outage_again(visit: Visit, shop: Shop) -> None:
    assert shop.postgres
    customer = visit()
    customer.expects(AWAY)
    customer.join()
    customer.add("p1")
    customer.press("Go to checkout")
    customer.fill_address(street="Typed Street 7")
    shop.postgres.stop()
    customer.press("Place the order")
    assert customer.heading == "We will be back in a moment"
    shop.postgres.start()
    wait_until_ready(shop)
    customer.page.reload()
    customer.sees("Thank you!")
    customer.sees("Typed Street 7")


@pytest.mark.usefixtures("without_user_service")
def test_customer_with_a_token_orders_while_user_service_is_stopped(customer: Visitor, shop: Shop) -> None:
    shop.user.stop()
    customer.open("/shop")
    assert len(customer.page.locator(".card").all()) == 24
    customer.open("/shop/basket")
    customer.press("Go to checkout")
    expect(customer.page.get_by_label("Your saved address")).to_have_count(0)
    customer.fill_address(street="Typed Street 7")
    customer.press("Place the order")
    customer.sees("Thank you!")
    customer.sees("Typed Street 7")


@pytest.mark.usefixtures("without_user_service")
def test_stranger_is_told_that_signing_in_is_not_possible_now(visit: Visit, shop: Shop) -> None:
    stranger = visit()
    stranger.expects(AWAY)
    shop.user.stop()
    time.sleep(5)  # until order-service has noticed
    stranger.add("p1")
    with stranger.page.expect_navigation() as navigation:
        stranger.button("Go to checkout").click()
    assert navigation.value.status == AWAY
    stranger.sees("Signing in is not possible at the moment; your basket is kept.")
    assert stranger.basket_count() == "1"

    shop.user.start()
    expect(stranger.page.locator("h1")).to_have_text("Sign in", timeout=30_000)
    stranger.follow("Create an account")
    stranger.sign_up()
    assert (stranger.heading, stranger.basket_count()) == ("Checkout", "1")


@pytest.mark.usefixtures("without_user_service")
def test_checkout_answers_within_six_seconds_while_user_service_hangs(customer: Visitor, shop: Shop) -> None:
    shop.user.freeze()
    started = time.monotonic()
    assert customer.open("/shop/checkout").status == 200
    assert time.monotonic() - started < 6
    customer.fill_address(street="Typed Street 7")
    started = time.monotonic()
    customer.press("Place the order")
    assert time.monotonic() - started < 6
    customer.sees("Typed Street 7")
