"""Pay, be declined, close the window, pay later, pay in two tabs: each order is paid once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser import axe
from browser.database import Databases
from browser.visitor import ADDRESS, DESKTOP, PHONE, Visit, Visitor
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

TERMS = """
TRUNCATE shipping_methods, tax_rates;
INSERT INTO tax_rates (country, tax_class, rate) VALUES ('DE', 'standard', 20);
INSERT INTO shipping_methods (id, name, countries, currency, price_minor, free_from_minor, position) VALUES
    ('standard', 'Parcel, 2 to 4 days', '{DE,GB}', 'EUR', 490, 5000, 1),
    ('courier', 'Courier, next day', '{DE}', 'EUR', 1290, NULL, 2)"""
PAYMENTS = """
SELECT p.status, p.accepted, p.amount_minor FROM payments p JOIN order_lines l USING (order_id)
WHERE product_id = %(id)s ORDER BY p.id"""
SHIP = """
UPDATE orders SET status = 'shipped', history = history || jsonb_build_object('status', 'shipped', 'at', now()),
    shipment = jsonb_build_object('carrier', 'DHL', 'tracking_number', '00340434161094',
        'tracking_url', 'https://carrier.example/00340434161094', 'shipped_at', now())
WHERE id = CAST(replace(%(order_id)s, 'o-', '') AS uuid)"""
TEST_PAYMENT = "**/shop/test-payment/*"
FOLDER = os.environ.get("SCREENSHOTS")
_numbers = count(1)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Run a shop that ships, taxes and takes payments on its test pages."""
    user_port, order_port = free_ports()
    with fresh_folder() as data:
        shop = Shop(data, user_port=user_port, order_port=order_port, environment={"PAYMENT_PROVIDER": "test"})
        shop.order.environment = {**shop.order.environment, "PUBLIC_URL": f"http://localhost:{order_port}"}
        with shop:
            Databases(shop).run("order_service", TERMS)
            yield shop


@pytest.fixture(params=[True, False], ids=["JavaScript", "no JavaScript"])
def customer(request: pytest.FixtureRequest, visit: Visit) -> Visitor:
    return visit(java_script_enabled=request.param)


@pytest.fixture
def lamp(databases: Databases) -> str:
    return databases.add_product(f"paid-lamp-{next(_numbers)}", stock=10)


def to_payment(customer: Visitor, lamp: str) -> str:
    """Lead the customer to the payment page of a new order; return its URL."""
    customer.join()
    customer.add(lamp)
    customer.press("Go to checkout")
    customer.fill_address()
    customer.button("Place the order").click()
    return at_payment(customer.page)


def at_payment(page: Page) -> str:
    page.wait_for_url(TEST_PAYMENT)
    return page.url


def open_order(customer: Visitor) -> None:
    customer.open("/shop/orders")
    customer.go_on(customer.main.locator(".cards h2 a").first)


def test_declined_payment_is_paid_at_the_second_attempt(customer: Visitor, databases: Databases, lamp: str) -> None:
    first = to_payment(customer, lamp)
    customer.sees("€14.90")
    customer.press("Decline the payment")
    customer.sees("Your payment was declined")
    customer.main.get_by_role("button", name="Try again").click()
    assert at_payment(customer.page) != first
    customer.press("Pay")
    customer.sees("Thank you! We have received your payment.")
    customer.sees("Parcel, 2 to 4 days")
    assert databases.query("order_service", PAYMENTS, id=lamp) == [("failed", False, 1490), ("paid", True, 1490)]


def test_window_closed_while_paying_is_paid_later_from_the_list(
    customer: Visitor, databases: Databases, lamp: str
) -> None:
    first = to_payment(customer, lamp)
    customer.page.close()
    customer.page = customer.context.new_page()
    customer.open("/shop/orders")
    customer.sees("Not paid yet")
    customer.main.get_by_role("button", name="Pay now").click()
    assert at_payment(customer.page) == first
    customer.press("Pay")
    customer.sees("Thank you! We have received your payment.")
    customer.open("/shop/orders")
    expect(customer.main.get_by_role("button", name="Pay now")).to_have_count(0)
    assert databases.query("order_service", PAYMENTS, id=lamp) == [("paid", True, 1490)]


def test_two_tabs_pay_on_one_page_and_once(customer: Visitor, databases: Databases, lamp: str) -> None:
    customer.expects(409)
    first = to_payment(customer, lamp)
    second = customer.context.new_page()
    second.goto(customer.url("/shop/orders"))
    second.get_by_role("button", name="Pay now").click()
    assert at_payment(second) == first
    customer.press("Pay")
    customer.sees("Thank you! We have received your payment.")
    second.get_by_role("button", name="Pay", exact=True).click()
    expect(second.get_by_role("main")).to_contain_text("This page is paid.")
    second.goto(customer.page.url)
    expect(second.get_by_role("button", name="Pay now")).to_have_count(0)
    assert databases.query("order_service", PAYMENTS, id=lamp) == [("paid", True, 1490)]


def test_payment_page_of_another_origin_is_reached(visit: Visit, databases: Databases, lamp: str) -> None:
    """The provider's page has another host: a form that is redirected there would be stopped by form-action."""
    customer = visit(guarded=False)
    other = "UPDATE payments SET url = replace(url, 'localhost', '127.0.0.1') WHERE status = 'open'"
    to_payment(customer, lamp)
    assert databases.run("order_service", other) >= 1
    open_order(customer)
    customer.main.get_by_role("button", name="Pay now").click()
    assert at_payment(customer.page).startswith("http://127.0.0.1:")


def test_total_follows_country_and_shipping(customer: Visitor, databases: Databases, lamp: str) -> None:
    customer.expects(409)
    customer.join()
    customer.add(lamp)
    customer.press("Go to checkout")
    expect(customer.button("Continue")).to_be_visible()
    customer.sees("Without shipping and tax, which depend on the country.")
    customer.fill_address()
    customer.sees("€14.90")
    customer.sees("Includes tax, 20%")
    expect(customer.page.locator("input[name=street]")).to_have_value(ADDRESS["street"])

    customer.page.get_by_label("Courier, next day").check()
    button = customer.main.locator("button[value=update]")
    if button.is_visible():
        customer.go_on(button)
    expect(customer.main.locator(".totals dd.sum")).to_have_text("€22.90")
    expect(customer.page.get_by_label("Courier, next day")).to_be_checked()

    customer.main.locator("select[name=country]").select_option("NO")
    if button.is_visible():
        customer.go_on(button)
    customer.sees("We do not deliver to Norway yet.")
    customer.sees("We deliver to Germany and United Kingdom.")
    expect(customer.button("Place the order")).to_have_count(0)
    assert databases.orders(lamp) == 0


def test_shipping_changed_without_an_update_is_shown_first(visit: Visit, databases: Databases, lamp: str) -> None:
    customer = visit(java_script_enabled=False)
    customer.expects(409)
    customer.join()
    customer.add(lamp)
    customer.press("Go to checkout")
    customer.fill_address()
    customer.page.get_by_label("Courier, next day").check()
    customer.press("Place the order")
    expect(customer.page.get_by_role("alert")).to_contain_text("The total has changed")
    customer.sees("€22.90")
    assert databases.orders(lamp) == 0
    customer.button("Place the order").click()
    at_payment(customer.page)
    customer.sees("€22.90")


def test_saved_address_has_shipping_and_total_at_once(customer: Visitor, lamp: str) -> None:
    customer.join()
    customer.open("/account/address")
    customer.fill_address()
    customer.press("Save")
    customer.add(lamp)
    customer.press("Go to checkout")
    customer.sees("€14.90")
    customer.fill(email=customer.email)
    customer.button("Place the order").click()
    at_payment(customer.page)


def stays(customer: Visitor) -> None:
    """Keep a page that waits for the payment from reloading itself while it is looked at."""
    customer.evaluate("() => { for (let id = 1; id < 1000; id++) clearTimeout(id); }")


def states(customer: Visitor, databases: Databases, lamp: str) -> Iterator[str]:
    """Lead the customer through all that an order can look like; yield the name of each page."""
    customer.join()
    customer.add(lamp, 2)
    customer.press("Go to checkout")
    yield "checkout"
    customer.fill_address()
    yield "checkout-total"
    customer.button("Place the order").click()
    at_payment(customer.page)
    yield "test-payment"
    customer.press("Decline the payment")
    yield "order-declined"
    order_id = customer.path.rpartition("/")[2]
    customer.main.get_by_role("button", name="Try again").click()
    at_payment(customer.page)
    customer.context.route(TEST_PAYMENT, lambda route: route.fulfill(status=204))  # to stay on the page that leads on
    customer.open(f"/shop/orders/{order_id}/pay")
    yield "to-the-payment"
    customer.context.unroute(TEST_PAYMENT)
    customer.open(f"/shop/orders/{order_id}?done=paid")
    stays(customer)
    yield "order-again"
    customer.open("/shop/orders")
    yield "orders"
    customer.main.get_by_role("button", name="Pay now").or_(
        customer.main.get_by_role("button", name="Try again")
    ).click()
    at_payment(customer.page)
    customer.press("Pay")
    yield "order-paid"
    databases.run("order_service", SHIP, order_id=order_id)
    customer.open(f"/shop/orders/{order_id}")
    yield "order-shipped"
    customer.add(lamp)
    customer.press("Go to checkout")
    customer.fill_address()
    customer.button("Place the order").click()
    at_payment(customer.page)
    open_order(customer)
    yield "order-pending"
    customer.open(f"{customer.path}?done=paid")
    stays(customer)
    yield "order-waiting"
    customer.open("/shop/orders")
    customer.main.get_by_role("button", name="Pay now").click()
    at_payment(customer.page)
    customer.press("Pay")
    customer.follow("Cancel this order")
    yield "cancel"
    customer.press("Cancel the order")
    yield "order-refunded"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_state_of_an_order_is_accessible_and_small(
    visit: Visit, databases: Databases, lamp: str, size: Any, note: list[str]
) -> None:
    customer, faults, sizes = visit(viewport=size), list[str](), dict[str, int]()
    for name in states(customer, databases, lamp):
        sizes[name] = len(customer.page.content())
        for scheme in ("light", "dark"):
            customer.page.emulate_media(color_scheme=scheme)
            faults.extend(f"{name}, {scheme}: {violation}" for violation in axe.violations(customer.page))
            if FOLDER:
                customer.page.screenshot(path=f"{FOLDER}/{name}-{size['width']}-{scheme}.png", full_page=True)
        customer.page.emulate_media(color_scheme="light")
        wide = customer.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        faults.extend([f"{name}: {wide} pixels too wide"] if wide > 0 else [])
    note.append(f"largest page: {max(sizes.items(), key=lambda entry: entry[1])} bytes")
    assert max(sizes.values()) < 30_000
    assert faults == []
