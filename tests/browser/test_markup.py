"""Texts full of markup are shown as text, whoever wrote them."""

from __future__ import annotations

import csv
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from browser.database import Databases
from browser.visitor import Visit, Visitor
from localshop import Trouble
from localshop.shop import Shop

NAME = """<img src=x onerror="ran('name')">'"></a><script>ran('name')</script>{{ 7 * 7 }}{% raw %}${7*7}&lt;b&gt;"""
DESCRIPTION = """</p></title></textarea><svg onload=ran('description')><style>*{display:none}</style>{{ config }}"""
CATEGORY = """"><script>ran('category')</script>&amp;'{{ self }}"""
PERSON = """</title><img src=x onerror=ran('person')>"'{{ 7*7 }}<b>"""
BIDI = "\u202ecod.exe"
COLUMNS = ["id", "name", "description", "category", "price", "currency", "stock"]
NOTE_RUNS = "window.ran = (what) => console.error('executed', what)"


def import_products(shop: Shop, folder: Path, *rows: list[str]) -> None:
    file = folder / "products.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([COLUMNS, *rows])
    shop.order.run("catalog", "import", file)


@pytest.fixture
def product_id(shop: Shop, databases: Databases, tmp_path: Path) -> str:
    """Import a product whose texts are markup."""
    databases.removes("markup")
    import_products(shop, tmp_path, ["markup", NAME, DESCRIPTION, CATEGORY, "10.00", "EUR", "100"])
    return "markup"


@pytest.fixture
def customer(visit: Visit) -> Visitor:
    customer = visit()
    customer.context.add_init_script(NOTE_RUNS)
    return customer


def sees(customer: Visitor, *texts: str) -> None:
    """Assert that the page shows the texts as they were written, and that none of them made an element."""
    for text in texts:
        customer.sees(text)
    assert customer.page.locator("main :is(script, svg, style, [onerror], [onload], b), img[src=x]").count() == 0


def test_markup_of_the_catalogue_is_shown_as_text(customer: Visitor, product_id: str) -> None:
    customer.open(f"/shop?{httpx.QueryParams(category=CATEGORY)}")
    sees(customer, NAME, CATEGORY)
    assert customer.heading == CATEGORY
    customer.go_on(customer.main.locator(".card a"))
    sees(customer, NAME, DESCRIPTION, CATEGORY)
    assert customer.page.title().startswith(NAME)
    customer.go_on(customer.main.get_by_role("link", name=CATEGORY))
    assert customer.heading == CATEGORY

    customer.join()
    customer.add(product_id)
    sees(customer, f"{NAME} is in your basket.")
    customer.press("Go to checkout")
    sees(customer, NAME)
    customer.fill_address()
    customer.press("Place the order")
    sees(customer, NAME)
    customer.open("/shop/orders")
    sees(customer, NAME)


def test_markup_of_a_customer_is_shown_as_text(customer: Visitor) -> None:
    customer.open("/account/sign-up")
    customer.sign_up(name=PERSON)
    sees(customer, f"Hello, {PERSON}")
    customer.open("/account/address")
    customer.fill_address(recipient=PERSON, street=PERSON, city=PERSON, region=PERSON)
    customer.press("Save")
    customer.add("p1")
    customer.press("Go to checkout")
    sees(customer, PERSON)
    customer.fill(email=customer.email)
    customer.press("Place the order")
    sees(customer, PERSON)
    customer.open("/account/devices")
    sees(customer)


def test_markup_in_the_back_office_is_shown_as_text(customer: Visitor, product_id: str, databases: Databases) -> None:
    customer.open("/account/sign-up")
    customer.sign_up(name=PERSON)
    databases.make_staff(customer.username)
    customer.sign_out()
    customer.open(f"/backoffice/products?{httpx.QueryParams(category=CATEGORY)}")
    customer.sign_in()
    sees(customer, NAME, CATEGORY)
    customer.open(f"/backoffice/products/{product_id}")
    sees(customer, DESCRIPTION)
    assert customer.heading == NAME
    customer.import_file(f"id,name,price,currency\n{product_id},<script>ran(1)</script>,20,EUR\n<b>,x,20,EUR\n")
    sees(customer, NAME, "<script>ran(1)</script>", "<b>")
    customer.open(f"/account/backoffice/customers?q={customer.username}")
    sees(customer, PERSON)
    customer.go_on(customer.main.locator("td a").first)
    assert customer.heading == PERSON


def test_markup_that_was_typed_wrongly_comes_back_as_text(customer: Visitor) -> None:
    customer.expects(400)
    customer.open("/account/sign-up")
    customer.fill(username=PERSON, password="violet-harbour-42")
    customer.press("Create the account")
    expect(customer.page.locator("input[name=username]")).to_have_value(PERSON)
    sees(customer)


@pytest.mark.parametrize("query", [NAME, CATEGORY, "{{ 7*7 }}", '" autofocus onfocus="ran(1)'])
def test_markup_in_a_search_is_shown_as_text(customer: Visitor, query: str) -> None:
    customer.open(f"/shop?{httpx.QueryParams(q=query)}")
    sees(customer, f"Results for “{query}”")
    expect(customer.page.get_by_role("searchbox")).to_have_value(query)


@pytest.mark.parametrize("target", ["https://example.org/", "//example.org/", "/\\example.org", "javascript:ran(1)"])
def test_next_page_is_never_another_site(customer: Visitor, target: str) -> None:
    following = httpx.QueryParams(next=target)
    customer.open(f"/account/sign-up?{following}")
    customer.sign_up()
    assert customer.page.url == customer.url("/account")
    customer.sign_out()
    customer.open(f"/account/sign-in?{following}")
    customer.sign_in()
    assert customer.page.url == customer.url("/account")


def test_direction_controls_do_not_get_in(customer: Visitor, shop: Shop, tmp_path: Path, databases: Databases) -> None:
    with pytest.raises(Trouble):
        import_products(shop, tmp_path, ["bidi", BIDI, "", "Things", "10.00", "EUR", "1"])
    found = "SELECT FROM products WHERE id = 'bidi'"
    assert databases.query("order_service", found) == []

    customer.expects(400)
    customer.open("/account/sign-up")
    customer.sign_up(name=BIDI)
    customer.sees("Please check what you entered.")
    customer.sign_up(name="Ada")
    customer.open("/account/address")
    customer.fill_address(street=BIDI)
    customer.press("Save")
    customer.sees("Please check what you entered.")
    customer.add("p1")
    customer.press("Go to checkout")
    customer.fill_address(street=BIDI)
    customer.press("Place the order")
    customer.sees("Please check what you entered.")
    stored = "SELECT FROM users WHERE username = %(name)s AND (name <> 'Ada' OR shipping_address IS NOT NULL)"
    assert databases.query("user_service", stored, name=customer.username) == []
