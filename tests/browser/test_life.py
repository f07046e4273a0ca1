"""A customer's whole life: from the first look to the deleted account."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.database import Databases
from browser.visitor import ADDRESS, DESKTOP, PHONE, Visit, Visitor

BROWSERS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": PHONE},
    "desktop": {"viewport": DESKTOP},
    "phone without JavaScript": {"viewport": PHONE, "java_script_enabled": False},
    "desktop without JavaScript": {"viewport": DESKTOP, "java_script_enabled": False},
}


def names(page: Page) -> list[str]:
    """Return the names of the products in the list."""
    return page.locator(".card h2").all_inner_texts()


def prices(page: Page) -> list[float]:
    return [float(text.strip("€").replace(",", "")) for text in page.locator(".card .amount").all_inner_texts()]


@pytest.fixture(params=list(BROWSERS.values()), ids=list(BROWSERS))
def customer(request: pytest.FixtureRequest, visit: Visit) -> Visitor:
    return visit(**request.param)


def test_customer_lives_a_whole_life(customer: Visitor, visit: Visit, databases: Databases) -> None:
    look_around(customer)
    fill_the_basket(customer)
    order_with_a_new_account(customer)
    order_again_with_the_saved_address(customer)
    cancel(customer)
    change_profile(customer)
    download(customer)
    end_another_device(customer, visit(java_script_enabled=False))
    change_password(customer)
    delete_account(customer, databases)


def look_around(customer: Visitor) -> None:
    customer.open("/")
    assert customer.path == "/shop"
    first = names(customer.page)
    assert len(first) == 24

    customer.follow("Next page")
    assert len(names(customer.page)) == 24
    assert set(first).isdisjoint(names(customer.page))

    search = customer.page.get_by_role("searchbox")
    search.fill("keyboard")
    search.press("Enter")
    expect(customer.page.locator("h1")).to_have_text("Results for “keyboard”")
    assert "Mechanical Keyboard" in names(customer.page)
    assert "Wireless Mouse" not in names(customer.page)

    customer.open("/shop")
    customer.page.get_by_role("navigation", name="Categories").get_by_role("link", name="Computer Accessories").click()
    expect(customer.page.locator("h1")).to_have_text("Computer Accessories")
    customer.page.get_by_label("Sort by").select_option("price")
    if (button := customer.button("Sort")).is_visible():
        customer.go_on(button)
    expect(customer.page).to_have_url(re.compile("sort=price"))
    expect(customer.page.get_by_label("Sort by")).to_have_value("price")
    assert len(prices(customer.page)) > 5
    assert prices(customer.page) == sorted(prices(customer.page))


def fill_the_basket(customer: Visitor) -> None:
    customer.go_on(customer.link("Mechanical Keyboard"))
    customer.fill(qty="2")
    customer.press("Add to basket")
    customer.sees("Mechanical Keyboard is in your basket.")
    customer.sees("€118.98")
    customer.add("p1")
    assert customer.basket_count() == "3"

    customer.set_quantity("Mechanical Keyboard", 1)
    customer.sees("€79.48")
    customer.press("Remove Wireless Mouse")
    assert customer.basket_count() == "1"
    customer.sees("€59.49")


def order_with_a_new_account(customer: Visitor) -> None:
    customer.expects(400, 403)
    customer.press("Go to checkout")
    assert customer.path == "/account/sign-in"
    customer.follow("Create an account")
    customer.sign_up(name="Ada")
    assert (customer.path, customer.basket_count()) == ("/shop/checkout", "1")

    customer.fill_address(postal_code="x" * 20)
    customer.main.locator("select[name=country]").evaluate("field => field.required = false")
    customer.main.locator("select[name=country]").select_option("")
    if customer.page.locator("html.js").count():  # the total has gone with the country
        expect(customer.button("Continue")).to_be_visible()
    customer.go_on(customer.main.locator("aside button"))
    expect(customer.page.get_by_role("alert")).to_contain_text("Country is missing.")
    expect(customer.page.locator("input[name=street]")).to_have_value(ADDRESS["street"])

    customer.fill_address()
    customer.press("Place the order")
    customer.sees("Thank you!")
    customer.sees(ADDRESS["street"])
    customer.sees("Germany")
    assert customer.basket_count() == ""
    customer.follow("Orders") if customer.link("Orders").count() else customer.open("/shop/orders")
    customer.sees("Mechanical Keyboard")
    customer.sees("€59.49")


def order_again_with_the_saved_address(customer: Visitor) -> None:
    customer.open("/account/address")
    customer.fill_address(street="Marylebone Road 2")
    customer.press("Save")
    customer.sees("Saved.")
    customer.add("p3")
    customer.press("Go to checkout")
    expect(customer.page.get_by_label("Your saved address")).to_be_checked()
    customer.fill(email=customer.email)
    customer.press("Place the order")
    customer.sees("Thank you!")
    customer.sees("Marylebone Road 2")


def cancel(customer: Visitor) -> None:
    customer.follow("Cancel this order")
    customer.press("Cancel the order")
    customer.sees("The order is cancelled.")
    expect(customer.link("Cancel this order")).to_have_count(0)


def change_profile(customer: Visitor) -> None:
    customer.open("/account")
    customer.fill(name="Ada Lovelace", phone="+44 20 7946 0018")
    customer.press("Save")
    customer.sees("Saved.")
    assert customer.heading == "Hello, Ada Lovelace"

    customer.fill(email=f"{customer.username}@example.org", current_password="not this one")
    customer.press("Save")
    customer.sees("Wrong password.")
    customer.fill(current_password=customer.password)
    customer.press("Save")
    customer.sees("Saved.")
    expect(customer.page.locator("input[name=email]")).to_have_value(f"{customer.username}@example.org")


def download(customer: Visitor) -> None:
    customer.open("/account/data")
    account, orders = (save(customer, name) for name in ("account", "orders"))
    assert account["profile"]["name"] == "Ada Lovelace"
    assert [order["status"] for order in orders["orders"]] == ["placed", "cancelled"]


def save(customer: Visitor, name: str) -> dict[str, Any]:
    with customer.page.expect_download() as started:
        customer.main.locator(f"a[href*='{name}.json']").click()
    assert started.value.suggested_filename == f"{name}.json"
    document: dict[str, Any] = json.loads(Path(started.value.path()).read_text())
    return document


def end_another_device(customer: Visitor, other: Visitor) -> None:
    other.username, other.password = customer.username, customer.password
    other.open("/account/sign-in")
    other.sign_in()
    other.open("/shop/orders")
    assert other.heading == "Your orders"

    customer.open("/account/devices")
    assert customer.main.get_by_role("listitem").count() == 2
    customer.go_on(customer.main.get_by_role("listitem").get_by_role("button"))
    assert customer.main.get_by_role("listitem").count() == 1

    other.page.wait_for_timeout(2000)
    other.page.reload()
    assert other.path == "/account/sign-in"


def change_password(customer: Visitor) -> None:
    customer.open("/account/password")
    customer.fill(current_password=customer.password, new_password="password")
    customer.press("Change the password")
    customer.sees("Please choose another.")
    customer.fill(current_password=customer.password, new_password="amber-lighthouse-7")
    customer.press("Change the password")
    customer.sees("Your password is changed.")
    customer.password = "amber-lighthouse-7"

    customer.sign_out()
    assert customer.heading == "Sign in"
    customer.sign_in()
    assert customer.heading == "Hello, Ada Lovelace"


def delete_account(customer: Visitor, databases: Databases) -> None:
    customer.open("/account/data")
    customer.follow("Delete the account")
    customer.fill(password=customer.password)
    customer.press("Delete the account")
    customer.sees("Your account is deleted.")
    left = databases.query("user_service", "SELECT FROM users WHERE username = %(name)s", name=customer.username)
    assert left == []
    customer.expects(401)
    customer.sign_in()
    customer.sees("do not match")
