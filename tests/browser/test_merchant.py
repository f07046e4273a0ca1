"""A merchant's day in the back office: phone and desktop, with and without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from browser.database import Databases
from browser.visitor import DESKTOP, PHONE, Visit, Visitor

HEADER = "id,name,category,price,currency,stock\n"


@pytest.fixture(
    params=[
        {"viewport": DESKTOP},
        {"viewport": PHONE, "color_scheme": "dark"},
        {"viewport": PHONE, "java_script_enabled": False},
    ],
    ids=["desktop", "phone", "no script"],
)
def merchant(request: pytest.FixtureRequest, visit: Visit, databases: Databases) -> Visitor:
    """Return one of the staff who is signed in with a second factor."""
    options: dict[str, Any] = request.param
    merchant = visit(**options)
    merchant.join()
    databases.make_staff(merchant.username)
    code = switch_on_second_factor(merchant)
    merchant.sign_out()
    merchant.open("/backoffice")
    assert merchant.path == "/account/sign-in"
    merchant.sign_in()
    merchant.fill(otp=code)
    merchant.press("Sign in")
    assert merchant.path == "/backoffice"
    return merchant


def switch_on_second_factor(merchant: Visitor) -> str:
    """Return a recovery code."""
    pyotp = pytest.importorskip("pyotp")
    merchant.open("/account/second-factor")
    merchant.fill(password=merchant.password)
    merchant.press("Switch it on")
    merchant.fill(otp=pyotp.TOTP(merchant.main.locator("code").first.inner_text()).now())
    merchant.press("Switch it on")
    return merchant.main.locator(".codes code").first.inner_text()


def find(merchant: Visitor, product_id: str) -> None:
    """Search a product by its id, and open it."""
    merchant.open("/backoffice/products")
    merchant.fill(q=product_id)
    merchant.press("Filter")
    merchant.go_on(merchant.main.locator("td a").first)
    assert merchant.path == f"/backoffice/products/{product_id}"


def test_a_merchants_day(merchant: Visitor, databases: Databases, visit: Visit) -> None:
    product_id, new_id = f"day-{merchant.username}", f"new-{merchant.username}"
    databases.removes(product_id)
    databases.removes(new_id)
    adds_a_product(merchant, product_id)
    changes_a_price(merchant, product_id)
    adjusts_the_stock(merchant)
    imports_a_file(merchant, product_id, new_id)
    deactivates(merchant, visit(), product_id, new_id)
    reads_the_audit(merchant, product_id)
    assert databases.query(
        "order_service", "SELECT price_minor, stock, active FROM products WHERE id = %(id)s", id=product_id
    ) == [(1550, 10, False)]


def adds_a_product(merchant: Visitor, product_id: str) -> None:
    merchant.open("/backoffice/products")
    merchant.follow("Add a product")
    merchant.fill(id=product_id, name="Day lamp", category="Test", price="10", stock="5")
    merchant.press("Add the product")
    merchant.sees("Added. It is in the shop now.")


def changes_a_price(merchant: Visitor, product_id: str) -> None:
    merchant.expects(400)
    find(merchant, product_id)
    merchant.fill(price="12,50")
    merchant.press("Save")
    expect(merchant.page.locator("#price-error")).to_contain_text("Decimals follow a point: write 12.50")
    merchant.fill(price="12.50")
    merchant.press("Save")
    merchant.sees("Saved.")
    expect(merchant.page.locator("input[name=price]")).to_have_value("12.50")


def adjusts_the_stock(merchant: Visitor) -> None:
    merchant.expects(409)
    merchant.follow("Adjust the stock")
    merchant.fill(units="-6", reason="broken")
    merchant.press("Adjust the stock")
    merchant.sees("The stock would become -1: it is 0 to 1000000000.")
    merchant.fill(units="3", reason="delivery")
    merchant.press("Adjust the stock")
    merchant.sees("Adjusted.")
    merchant.sees("8 units")


def imports_a_file(merchant: Visitor, product_id: str, new_id: str) -> None:
    good = f"{product_id},Day lamp,Test,15.50,EUR,+2\n"
    merchant.import_file(f"{HEADER}{good}{new_id},Night lamp,Test,cheap,EUR,4\n")
    merchant.sees("Nothing is imported: 1 row does not fit.")
    merchant.sees("An amount is a number of digits")
    assert not merchant.button("Import").count()
    merchant.import_file(f"{HEADER}{good}{new_id},Night lamp,Test,20,EUR,4\n")
    merchant.sees("€12.50 → €15.50")
    merchant.press("Import")
    merchant.sees("Imported.")


def deactivates(merchant: Visitor, customer: Visitor, product_id: str, new_id: str) -> None:
    customer.expects(404)
    customer.open(f"/shop/products/{new_id}")
    customer.sees("Night lamp")
    find(merchant, product_id)
    merchant.press("Deactivate")
    merchant.sees("Inactive: customers no longer see it.")
    customer.open(f"/shop/products/{product_id}")
    assert customer.heading == "We cannot find that page"


def reads_the_audit(merchant: Visitor, product_id: str) -> None:
    merchant.follow("What was changed, and by whom")
    entries = merchant.main.locator("tbody tr")
    expect(entries).to_have_count(4)
    expect(entries.nth(0)).to_contain_text("active yes → no")
    expect(entries.nth(1)).to_contain_text("delivery")
    expect(entries.nth(2)).to_contain_text("€10.00 → €12.50")
    expect(entries.nth(3)).to_contain_text("Product added")
    for entry in entries.all():
        expect(entry).to_contain_text(merchant.username)


def test_a_customer_is_disabled_and_told_so(merchant: Visitor, visit: Visit) -> None:
    customer = visit()
    customer.join()
    merchant.open("/backoffice")
    merchant.follow("Customers")
    merchant.fill(q=customer.username)
    merchant.press("Search")
    merchant.go_on(merchant.main.locator("td a").first)
    merchant.press("Disable")
    merchant.sees("Disabled. All sessions are ended")
    customer.open("/account")
    assert customer.path == "/account/sign-in"
    merchant.follow("What staff changed about this customer")
    merchant.sees("Customer disabled")
    merchant.sees("disabled no → yes")


def test_the_back_office_is_not_for_customers(visit: Visit) -> None:
    customer = visit()
    customer.expects(403)
    customer.join()
    assert not customer.link("Back office").count()
    for path in ("/backoffice", "/account/backoffice"):
        assert customer.open(path).status == 403
        customer.sees("This is for the staff of the shop only.")
