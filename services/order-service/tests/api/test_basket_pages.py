"""The basket: a cookie that is compared with the catalogue at every view."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.testing.http import messages
from order_service.catalog.import_file import Product


def cookie(browser: FlaskClient) -> str:
    found = browser.get_cookie("shop-basket")
    return found.value if found else ""


def do(browser: FlaskClient, **fields: Any) -> TestResponse:
    """Send a form of the basket."""
    return browser.post("/shop/basket", data=fields)


def totals(answer: TestResponse) -> list[str]:
    return re.findall(r'<dd class="sum">(.*?)</dd>', answer.text)


def test_a_product_is_added_and_shown(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=9, price_minor=1999)
    answer = do(visitor, product_id="p1", qty="2", do="add")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/shop/basket?added=p1")
    basket = visitor.get("/shop/basket?added=p1")
    assert messages(basket) == ["Product p1 is in your basket."]
    assert totals(basket) == ["€39.98"]
    assert basket.headers["Cache-Control"] == "no-store"
    assert "<b>2<span" in visitor.get("/shop").text
    assert cookie(visitor) == "p1:2:1999"


def test_quantities_add_up_and_are_set_and_removed(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=9, p2=9)
    do(visitor, product_id="p1", do="add")
    do(visitor, product_id="p2", qty="3", do="add")
    do(visitor, product_id="p1", qty="2", do="add")
    assert cookie(visitor) == "p1:3:1000|p2:3:1000"
    do(visitor, product_id="p2", qty="1")
    assert cookie(visitor) == "p1:3:1000|p2:1:1000"
    do(visitor, product_id="p1", qty="5", remove="p1")
    assert cookie(visitor) == "p2:1:1000"
    do(visitor, product_id="p2", qty="0")
    assert cookie(visitor) == ""
    assert "Your basket is empty" in visitor.get("/shop/basket").text


def test_more_than_one_order_takes_is_cut(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5000)
    do(visitor, product_id="p1", qty="999", do="add")
    do(visitor, product_id="p1", qty="999", do="add")
    assert cookie(visitor) == "p1:999:1000"


def test_typed_quantities_count_when_the_visitor_goes_to_checkout(
    alices: FlaskClient, stock: Callable[..., None]
) -> None:
    stock(p1=9, p2=9)
    alices.set_cookie("shop-basket", "p1:1:1000|p2:1:1000")
    answer = do(alices, product_id=["p1", "p2"], qty=["3", "1"], do="checkout")
    assert answer.headers["Location"] == "/shop/checkout"
    assert cookie(alices) == "p1:3:1000|p2:1:1000"


def test_a_product_that_another_tab_removed_does_not_come_back(
    visitor: FlaskClient, stock: Callable[..., None]
) -> None:
    stock(p1=9, p2=9)
    do(visitor, product_id="p1", do="add")
    do(visitor, product_id=["p1", "p2"], qty=["2", "1"])
    assert cookie(visitor) == "p1:2:1000"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"product_id": "nothing", "do": "add"}, 404),
        ({"do": "add"}, 404),
        ({"product_id": "p1", "qty": "x", "do": "add"}, 400),
        ({"product_id": "p1", "qty": "-1", "do": "add"}, 400),
        ({"product_id": "p1", "qty": "1000", "do": "add"}, 400),
        ({"product_id": "p1", "qty": "9" * 5000, "do": "add"}, 400),
        ({"product_id": "p1", "do": "steal"}, 400),
        ({"product_id": "p1\x00", "do": "add"}, 400),
    ],
)
def test_a_form_that_no_page_has_changes_nothing(
    visitor: FlaskClient, stock: Callable[..., None], fields: dict[str, str], status: int
) -> None:
    stock(p1=5)
    answer = do(visitor, **fields)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert cookie(visitor) == ""


def test_fields_that_no_page_has_are_ignored(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5)
    unknown = "&".join(f"f{number}=1" for number in range(3000))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = visitor.post("/shop/basket", data=f"product_id=p1&do=add&price=1&{unknown}", headers=form)
    assert answer.status_code == 303
    assert cookie(visitor) == "p1:1:1000"


def test_a_form_of_many_wrong_fields_gets_a_short_answer(visitor: FlaskClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = visitor.post("/shop/basket", data="&".join(["qty=x"] * 5000), headers=form)
    assert answer.status_code == 400
    assert len(answer.data) < 10_000


def test_a_changed_price_is_shown_and_forgotten_after_an_update(
    visitor: FlaskClient, stock: Callable[..., None]
) -> None:
    stock(p1=5, price_minor=1000)
    do(visitor, product_id="p1", do="add")
    stock(p1=5, price_minor=1250)
    basket = visitor.get("/shop/basket")
    assert "The price was €10.00 when you added it." in basket.text
    assert totals(basket) == ["€12.50"]
    do(visitor, product_id="p1", qty="1")
    assert "The price was" not in visitor.get("/shop/basket").text


@pytest.mark.parametrize(("left", "text"), [(0, "Sold out. Please remove it."), (2, "Only 2 left. Please reduce")])
def test_too_little_stock_is_shown_and_cannot_be_ordered(
    visitor: FlaskClient, alices: FlaskClient, stock: Callable[..., None], left: int, text: str
) -> None:
    stock(p1=5)
    do(alices, product_id="p1", qty="3", do="add")
    stock(p1=left)
    basket = alices.get("/shop/basket")
    assert text in basket.text
    assert "Go to checkout" not in basket.text
    assert alices.get("/shop/checkout").headers["Location"] == "/shop/basket"


def test_products_no_longer_sold_are_counted_and_removed(alices: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5)
    alices.set_cookie("shop-basket", "p1:1:1000|gone:2:500|also-gone:1:500")
    basket = alices.get("/shop/basket")
    assert "2 products in your basket are no longer sold." in basket.text
    assert "Go to checkout" not in basket.text
    assert alices.get("/shop/checkout").headers["Location"] == "/shop/basket"
    assert do(alices, do="tidy").headers["Location"] == "/shop/basket"
    assert cookie(alices) == "p1:1:1000"
    assert "no longer sold" not in alices.get("/shop/basket").text


def test_a_basket_of_two_currencies_cannot_be_ordered(alices: FlaskClient, stock: Callable[..., None]) -> None:
    stock(Product("p1", "One", "", "Things", 100, "EUR", 5), Product("p2", "Two", "", "Things", 100, "USD", 5))
    for product_id in ("p1", "p2"):
        do(alices, product_id=product_id, do="add")
    basket = alices.get("/shop/basket")
    assert "One order takes one currency." in basket.text
    assert totals(basket) == []
    assert alices.get("/shop/checkout").headers["Location"] == "/shop/basket"


def test_a_full_basket_says_so_and_stays(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(**{f"p{number}": 5 for number in range(51)})
    full = "|".join(f"p{number}:1:1000" for number in range(50))
    visitor.set_cookie("shop-basket", full)
    answer = do(visitor, product_id="p50", do="add")
    assert answer.status_code == 409
    assert messages(answer) == ["Your basket is full. Order what is in it first, or remove something."]
    assert cookie(visitor) == full


def test_a_name_made_of_markup_is_shown_as_text(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(Product("p1", '"><script>x</script>', "", "Things", 100, "EUR", 5))
    do(visitor, product_id="p1", do="add")
    text = visitor.get("/shop/basket?added=p1").text
    assert "<script>x" not in text
    assert "&#34;&gt;&lt;script&gt;x&lt;/script&gt; is in your basket." in text


def test_a_form_of_another_site_does_not_fill_the_basket(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=5)
    sent = {"product_id": "p1", "do": "add"}
    answer = visitor.post("/shop/basket", data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert cookie(visitor) == ""
