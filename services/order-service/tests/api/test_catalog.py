from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from order_service.catalog.importer import Product

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
