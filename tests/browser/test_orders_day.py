"""A merchant's day goes on with orders: ship one, refund half of it, cancel another; axe-core looks at every page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from browser import axe
from browser.database import Databases
from browser.visitor import DESKTOP, PHONE, Visit, Visitor

SIZES: list[dict[str, Any]] = [
    {"viewport": DESKTOP},
    {"viewport": PHONE, "color_scheme": "dark"},
    {"viewport": PHONE, "java_script_enabled": False},
]


@pytest.fixture(params=SIZES, ids=["desktop", "phone", "no script"])
def merchant(request: pytest.FixtureRequest, visit: Visit, databases: Databases) -> Visitor:
    """Return one of the staff who is signed in, on the first page of the back office."""
    merchant = visit(**request.param)
    merchant.join()
    databases.make_staff(merchant.username)
    merchant.sign_out()
    merchant.open("/backoffice")
    merchant.sign_in()
    assert (merchant.path, merchant.heading) == ("/backoffice", "Overview")
    return merchant


@pytest.fixture
def product_id(merchant: Visitor, databases: Databases) -> str:
    return databases.add_product(f"lamp-{merchant.username}", name="Day lamp", stock=6, price=1000)


def paid_order(visit: Visit, databases: Databases, product_id: str) -> str:
    """Return the id of an order of two units that its customer has paid."""
    customer = visit()
    customer.join()
    customer.add(product_id)
    order_id = customer.order(product_id)
    databases.pay(order_id, email=f"{customer.username}@example.org")
    return order_id


def looks_right(merchant: Visitor) -> None:
    """Assert that the page has no fault for axe-core, which needs JavaScript, and fits the screen."""
    if merchant.page.locator("html.js").count():
        assert axe.violations(merchant.page) == [], merchant.page.url
        assert merchant.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), merchant.page.url


def test_a_merchants_day_with_orders(merchant: Visitor, databases: Databases, visit: Visit, product_id: str) -> None:
    first, second = (paid_order(visit, databases, product_id) for _ in range(2))
    number = databases.number(first)
    finds(merchant, number)
    corrects_the_address(merchant)
    ships(merchant)
    refunds_half(merchant)
    cancels(merchant, second)
    assert databases.query("order_service", "SELECT stock FROM products WHERE id = %(id)s", id=product_id) == [(5,)]
    assert databases.state(first) == ("delivered", "partially_refunded", 2490, 1000)
    assert databases.state(second) == ("cancelled", "refunded", 2490, 2490)


def finds(merchant: Visitor, number: str) -> None:
    """Look at the overview, and find the order in its list."""
    merchant.open("/backoffice")
    looks_right(merchant)
    merchant.go_on(merchant.main.get_by_role("link", name="to ship"))
    looks_right(merchant)
    merchant.fill(q=number.lower().replace("-", " "))
    merchant.press("Filter")
    merchant.follow(number)
    assert merchant.heading == number
    merchant.sees("2 × €10.00")
    looks_right(merchant)


def corrects_the_address(merchant: Visitor) -> None:
    merchant.expects(400)
    merchant.follow("Change address or email")
    merchant.fill(email="ada@nowhere")
    merchant.press("Save")
    expect(merchant.page.locator("#email-error")).to_be_visible()
    looks_right(merchant)
    merchant.fill(email="ada@example.org", city="Leeds")
    merchant.press("Save")
    merchant.sees("Leeds")


def ships(merchant: Visitor) -> None:
    merchant.fill(carrier="DHL", tracking_number="00340", tracking_url="https://dhl.example/t?id=00340")
    merchant.press("Mark as shipped")
    merchant.sees("Shipped.")
    expect(merchant.link("00340")).to_have_attribute("href", "https://dhl.example/t?id=00340")
    merchant.press("Mark as delivered")
    merchant.sees("Delivered.")
    looks_right(merchant)


def refunds_half(merchant: Visitor) -> None:
    merchant.expects(400, 409)
    merchant.follow("Refund")
    looks_right(merchant)
    merchant.fill(units_1="3", reason="one was broken")
    merchant.press("Continue")
    expect(merchant.page.locator("#units_1-error")).to_contain_text("Only 2 of Day lamp can still be refunded.")
    looks_right(merchant)
    merchant.fill(units_1="1")
    merchant.main.get_by_label("The units return to the stock").check()
    merchant.press("Continue")
    assert merchant.heading == "Refund €10.00?"
    looks_right(merchant)
    path, fields = merchant.path, merchant.main.locator("input[type=hidden]").all()
    form = {str(field.get_attribute("name")): str(field.get_attribute("value")) for field in fields}
    merchant.press("Refund €10.00")
    merchant.sees("The refund is under way.")
    merchant.sees("Refund of €10.00 requested")
    looks_right(merchant)
    again = merchant.page.request.post(
        merchant.url(path), form={**form, "do": "refund"}, headers={"Origin": merchant.url("")}
    )
    assert again.ok
    merchant.page.reload()
    expect(merchant.page.locator("section[aria-labelledby=refunds] tbody tr")).to_have_count(1)


def cancels(merchant: Visitor, order_id: str) -> None:
    merchant.open(f"/backoffice/orders/{order_id}")
    merchant.follow("Cancel the order")
    looks_right(merchant)
    merchant.fill(reason="the customer asked")
    merchant.press("Cancel it and refund €24.90")
    merchant.sees("The order is cancelled.")
    looks_right(merchant)
    for path in ("jobs", "jobs?status=waiting", "orders?q=nobody-at-all", "products?in_stock=low"):
        merchant.open(f"/backoffice/{path}")
        looks_right(merchant)
