"""The pages of the catalogue, for everybody."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from order_service.catalog.import_file import Product
from order_service.catalog.pictures import DRAWINGS, HUES

NASTY = Product("x1", '<script>alert("1")</script>', "</p><b>bold</b> & 'quoted'", '<i>"Odd" & more', 100, "EUR", 5)
LARGEST_PAGE = 30_000


def names(answer: TestResponse) -> list[str]:
    """Return the names of the products on a page of the list."""
    return [
        html.unescape(name) for name in re.findall(r'<h2><a href="/shop/products/[^"]*">(.*?)</a></h2>', answer.text)
    ]


def link(answer: TestResponse, text: str) -> str:
    """Return where the link with this text leads to."""
    found = re.search(rf'<a [^>]*?href="([^"]*)"[^>]*>{text}', answer.text)
    assert found, f"no link {text}"
    return html.unescape(found[1])


def lamp(number: int, **changes: Any) -> Product:
    return Product(f"p{number}", f"Lamp {number:02}", "", "Lamps", 100 * number, "EUR", 9)._replace(**changes)


def test_the_root_leads_to_the_shop(visitor: FlaskClient) -> None:
    answer = visitor.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/shop")


def test_the_shop_shows_products_with_price_stock_and_link(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(lamp(1, stock=0), lamp(2, stock=3), lamp(3, price_minor=123_456))
    answer = visitor.get("/shop")
    assert answer.status_code == 200
    assert names(answer) == ["Lamp 01", "Lamp 02", "Lamp 03"]
    assert re.findall(r'<p class="amount">(.*?)</p>', answer.text) == ["€1.00", "€2.00", "€1,234.56"]
    assert "Sold out" in answer.text
    assert "Only 3 left" in answer.text
    assert visitor.get(link(answer, "Lamp 01")).status_code == 200


def test_search_category_and_sort_choose_products(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(lamp(1), lamp(2, category="Outdoor"), lamp(3, name="Chair", category="Chairs"))
    assert names(visitor.get("/shop?q=lamp")) == ["Lamp 01", "Lamp 02"]
    assert names(visitor.get("/shop?sort=-price")) == ["Chair", "Lamp 02", "Lamp 01"]
    answer = visitor.get("/shop?q=lamp&category=Outdoor&sort=name")
    assert names(answer) == ["Lamp 02"]
    assert link(answer, "All") == "/shop?q=lamp&sort=name"
    assert link(answer, "Chairs") == "/shop?q=lamp&category=Chairs&sort=name"


def test_blank_parameters_count_as_absent_and_others_are_ignored(
    visitor: FlaskClient, stock: Callable[..., None]
) -> None:
    stock(p1=1)
    assert names(visitor.get("/shop?q=&category=%20&sort=&after=&utm_source=x&other=1")) == ["Product p1"]


def test_nothing_found_is_said_and_leads_back(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(p1=1)
    answer = visitor.get("/shop?q=piano")
    assert (answer.status_code, names(answer)) == (200, [])
    assert link(answer, "Show all products") == "/shop"


def test_pages_of_the_list_follow_each_other_without_a_gap(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(*(lamp(number) for number in range(1, 51)))
    answer, found = visitor.get("/shop?sort=name"), []
    for _ in range(2):
        found += names(answer)
        answer = visitor.get(link(answer, "Next page"))
    found += names(answer)
    assert found == [f"Lamp {number:02}" for number in range(1, 51)]
    assert "Next page" not in answer.text
    assert link(answer, "Back to the start") == "/shop?sort=name"


@pytest.mark.parametrize(
    "query",
    ["sort=best", "after=x", "q=" + "x" * 201, "category=" + "x" * 101, "q=a%00b", "q=%E2%80%AEabc", "after=%FF"],
)
def test_a_query_that_no_link_has_is_refused_with_a_page(visitor: FlaskClient, query: str) -> None:
    answer = visitor.get(f"/shop?{query}")
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert "That did not work" in answer.text


def test_a_product_that_can_be_bought_has_a_form(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(lamp(1, description="Made of oak"), lamp(2, stock=0))
    answer = visitor.get("/shop/products/p1")
    assert "Made of oak" in answer.text
    assert 'max="9"' in answer.text
    assert 'action="/shop/basket"' in answer.text
    assert link(answer, "Lamps") == "/shop?category=Lamps"
    sold_out = visitor.get("/shop/products/p2")
    assert "Sold out" in sold_out.text
    assert 'action="/shop/basket"' not in sold_out.text


@pytest.mark.parametrize("path", ["nothing", "p%00", "%E2%80%AE", "x" * 101])
def test_a_product_that_is_not_there_gets_a_page(visitor: FlaskClient, path: str) -> None:
    answer = visitor.get(f"/shop/products/{path}")
    assert answer.status_code in {400, 404}
    assert answer.mimetype == "text/html"


def test_markup_in_the_catalogue_is_shown_as_text(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(NASTY)
    for path in ("/shop", "/shop/products/x1", "/shop?category=" + "%3Ci%3E%22Odd%22%20%26%20more"):
        text = visitor.get(path).text
        assert "<script>alert" not in text
        assert "<b>bold" not in text
        assert "<i>" not in text
        assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;" in text


def test_markup_in_a_search_is_shown_as_text(visitor: FlaskClient) -> None:
    text = visitor.get("/shop?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_every_drawing_is_served_in_every_tint(visitor: FlaskClient) -> None:
    for drawing in DRAWINGS:
        answer = visitor.get(f"/shop/pictures/{drawing}-{HUES[-1]}.svg")
        assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
        assert "HUE" not in answer.text
        assert len(answer.data) < 5_000
    assert {visitor.get(f"/shop/pictures/other-{hue}.svg").status_code for hue in HUES} == {200}
    assert visitor.get("/shop/pictures/other-0.svg").headers["Cache-Control"] == "public, max-age=86400"


@pytest.mark.parametrize(
    "name",
    ["other-1.svg", "other-360.svg", "other--15.svg", "nothing-0.svg", "other-.svg", "other-" + "9" * 5000 + ".svg"],
)
def test_a_picture_that_is_not_there_is_not_found(visitor: FlaskClient, name: str) -> None:
    assert visitor.get(f"/shop/pictures/{name}").status_code == 404


def test_a_page_of_24_products_with_long_names_stays_small(visitor: FlaskClient, stock: Callable[..., None]) -> None:
    stock(*(lamp(number, name="N" * 100, category=f"Category {number % 12}") for number in range(1, 31)))
    assert len(visitor.get("/shop").data) <= LARGEST_PAGE


def test_visitors_share_the_page_until_it_is_stale(
    app: Flask, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.http.response_cache.FRESH_SECONDS", 60)
    client = app.test_client(use_cookies=False)
    stock(p1=1)
    first = client.get("/shop?q=shared", headers={"Accept": "text/html"})
    stock(Product("p2", "Shared", "", "Things", 1, "EUR", 1))
    again = client.get("/shop?q=shared", headers={"Accept": "text/html"})
    assert (first.data, first.headers["Cache-Control"]) == (again.data, "no-cache")
    own = client.get("/shop?q=shared", headers={"Accept": "text/html", "Cookie": "shop-basket=p1:1:1"})
    assert names(own) == ["Shared"]
    assert own.headers["Cache-Control"] == "no-store"


def test_first_image_of_a_product_is_shown_instead_of_a_drawing(
    visitor: FlaskClient, stock: Callable[..., None]
) -> None:
    stock(lamp(1, images=["https://cdn.example/1.png", "https://cdn.example/2.png"]))
    for path in ("/shop", "/shop/products/p1"):
        answer = visitor.get(path)
        assert '<img class="picture" src="https://cdn.example/1.png"' in answer.text
        assert "img-src 'self' https:" in answer.headers["Content-Security-Policy"]
