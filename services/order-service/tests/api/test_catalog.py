from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from order_service.catalog import categories
from order_service.catalog.import_file import Product

MOUSE = Product("p1", "Wireless Mouse", "Quiet mouse for the desk.", "Computers", 1999, "EUR", 5)
KEYBOARD = Product("p2", "Keyboard", "Loud, and good with a mouse.", "Computers", 5949, "EUR", 0)
LAMP = Product("p3", "bedside lamp", "Warm light.", "Home", 2490, "EUR", 7)


@pytest.fixture
def shelf(stock: Callable[..., None]) -> None:
    stock(MOUSE, KEYBOARD, LAMP)


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [product["id"] for product in answer.json]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=mouse", ["p1", "p2"]),
        ("q=quiet+desk", ["p1"]),
        ("q=the", []),
        ("q=mouse+-loud", ["p1"]),
        ("category=Home", ["p3"]),
        ("category=home", []),
        ("q=mouse&category=Home", []),
        ("sort=name", ["p3", "p2", "p1"]),
        ("sort=price", ["p1", "p3", "p2"]),
        ("sort=-price", ["p2", "p3", "p1"]),
        ("q=mouse&sort=-price", ["p2", "p1"]),
    ],
)
def test_list_is_searched_filtered_and_sorted(client: FlaskClient, query: str, expected: list[str]) -> None:
    assert ids(client.get(f"/products?{query}")) == expected


@pytest.mark.parametrize("sort", ["", "&sort=name", "&sort=price", "&sort=-price", "&q=product"])
def test_link_headers_lead_to_every_product_once(client: FlaskClient, stock: Callable[..., None], sort: str) -> None:
    stock(**{f"p{number}": number for number in range(25)})
    seen: list[str] = []
    link: str | None = f"/products?limit=10{sort}"
    pages = 0
    while link:
        answer = client.get(link)
        seen += ids(answer)
        link = answer.headers.get("Link", "").removeprefix("<").partition(">")[0] or None
        pages += 1
    assert pages == 3
    assert sorted(seen) == sorted(f"p{number}" for number in range(25))


@pytest.mark.parametrize("letter", ["x", '"', "\\", "\u0416", "\u65e5", "\u0130", "\U0001f98a"], ids=ascii)
def test_link_after_a_name_of_any_script_is_accepted(
    client: FlaskClient, stock: Callable[..., None], letter: str
) -> None:
    name, category = letter * 200, letter * 100
    stock(*(Product(key, name, "", category, 100, "EUR", 1) for key in ("p1", "p2")))
    first = client.get(f"/products?sort=name&limit=1&category={quote(category)}")
    link = first.headers["Link"].removeprefix("<").partition(">")[0]
    assert (ids(first), ids(client.get(link))) == (["p1"], ["p2"])


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("query", ["q=&category=&sort=&limit=&after=", "q=+&category=%20", "q"])
def test_empty_parameters_count_as_absent(client: FlaskClient, query: str) -> None:
    assert ids(client.get(f"/products?{query}")) == ["p1", "p2", "p3"]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    "tracking",
    [
        "utm_source=mail&utm_campaign=a%20b",
        "gclid=x",
        "fbclid=x",
        "msclkid=x",
        "srsltid=x",
        "gclsrc=aw",
        "_=1716",
        "_",
        "UTM_SOURCE=x",
        "utm%5Fsource=x",
        "mkt_tok=x",
        "_hsenc=x",
        "ysclid=x",
        "ScCid=x",
    ],
)
def test_tracking_parameters_do_not_break_links(client: FlaskClient, tracking: str) -> None:
    answer = client.get(f"/products?{tracking}&sort=price&limit=1&{tracking}")
    assert ids(answer) == ["p1"]
    assert answer.headers["Link"].startswith("</products?sort=price&limit=1&after=")
    assert client.get(f"/products/p1?{tracking}").status_code == 200


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("query", ["colour=red", "xutm_source=x", "__=1", "limit=1&q_=2"])
def test_other_unknown_parameters_are_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/products?{query}").status_code == 400


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_category_and_words_are_found_in_every_unicode_form(
    client: FlaskClient, stock: Callable[..., None], form: Any
) -> None:
    stock(Product("p1", "S\u00e4ge", "", "M\u00f6bel", 100, "EUR", 1))
    assert ids(client.get("/products", query_string={"category": normalize(form, "M\u00f6bel")})) == ["p1"]
    assert ids(client.get("/products", query_string={"q": normalize(form, "S\u00e4ge")})) == ["p1"]


def test_categories_are_listed_by_name_with_the_number_of_products(
    client: FlaskClient, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(categories, "FRESH_SECONDS", 0)
    assert client.get("/categories").json == []
    stock(MOUSE, KEYBOARD, LAMP, Product("p4", "Record", "", "audio", 100, "EUR", 0))
    assert client.get("/categories").json == [
        {"name": "audio", "products": 1},
        {"name": "Computers", "products": 2},
        {"name": "Home", "products": 1},
    ]


@pytest.mark.usefixtures("shelf")
def test_products_are_counted_once_in_ten_seconds(client: FlaskClient, stock: Callable[..., None]) -> None:
    counted = client.get("/categories").json
    stock(Product("p4", "Record", "", "audio", 100, "EUR", 0))
    assert client.get("/categories").json == counted


@pytest.mark.usefixtures("shelf")
def test_category_of_the_list_finds_as_many_products_as_it_says(client: FlaskClient) -> None:
    counted = client.get("/categories").json
    assert counted
    for category in counted:
        assert len(ids(client.get("/products", query_string={"category": category["name"]}))) == category["products"]


@pytest.mark.usefixtures("shelf")
def test_unchanged_categories_are_answered_with_304(client: FlaskClient) -> None:
    first = client.get("/categories")
    again = client.get("/categories", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("query", ["limit=1", "category=Home"])
def test_categories_take_no_parameters(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/categories?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")  # type: ignore[index]


@pytest.mark.usefixtures("shelf")
def test_order_reduces_the_stock_in_the_list_at_once(client: FlaskClient, place: Callable[..., Any]) -> None:
    before = client.get("/products")
    assert place(p1=2).status_code == 201
    after = client.get("/products", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.json is not None
    assert after.json[0]["available"] == 3


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("path", ["/products/%20p1", "/products/p1%20", "/products/%09p1", "/products/%C2%A0p1"])
def test_product_id_in_a_path_is_not_trimmed(client: FlaskClient, path: str) -> None:
    assert client.get("/products/p1").status_code == 200
    assert client.get(path).status_code in {400, 404}


@pytest.mark.parametrize("member", ["q", "category"])
@pytest.mark.parametrize("hidden", ["\0", "\u202e", "\n"])
def test_spaces_around_a_text_hide_no_character(client: FlaskClient, member: str, hidden: str) -> None:
    answer = client.get("/products", query_string={member: f"{' ' * 900}a{hidden}b"})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["get", "Get", "head", "post"])
def test_method_in_small_letters_is_refused_with_405(client: FlaskClient, method: str) -> None:
    answer = client.open("/products", environ_overrides={"REQUEST_METHOD": method})
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
