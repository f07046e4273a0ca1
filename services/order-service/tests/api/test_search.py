"""The search finds what stands in a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from order_service.catalog import importer
from order_service.catalog.import_file import Product
from order_service.catalog.importer import Plan
from order_service.settings import Settings


@pytest.fixture
def named(stock: Callable[..., None]) -> Callable[..., None]:
    """Put products of these names on the shelf, with the ids n1, n2 and so on."""

    def put(*names: str) -> None:
        stock(*(Product(f"n{number}", name, "", "Things", 100, "EUR", 1) for number, name in enumerate(names, 1)))

    return put


@pytest.fixture
def find(client: FlaskClient) -> Callable[..., list[str]]:
    def find(words: str, **parameters: str) -> list[str]:
        products: Any = client.get("/products", query_string={"q": words, **parameters}).json
        return [product["name"] for product in products]

    return find


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("IT", "IT"),
        ("AT&T", "AT&T"),
        ("AT&T", "at t"),
        ("The Who", "The Who"),
        ("The Who", "the who"),
        ("The Who T-Shirt", "who shirt"),
        ("Scarf red/blue", "blue"),
        ("Scarf red/blue", "red/blue"),
        ("Dr.Martens 1460", "martens"),
        ("Dr.Martens 1460", "Dr.Martens"),
        ("Dr.Martens 1460", "dr martens"),
        ("Sony WH-1000XM4", "XM4"),
        ("Sony WH-1000XM4", "WH-1000XM4"),
        ("Sony WH-1000XM4", "1000 xm4 sony"),
        ("Hikvision DS-7604NI-K1", "DS-7604"),
        ("Hikvision DS-7604NI-K1", "7604 hikvision"),
        ("Mugs of clay", "mug clay"),
        ("Mug of clay", "mugs clay"),
        ("Batteries", "battery"),
        ("Battery", "batteries"),
        ("Headphones", "headph"),
        ("Wireless headphones", "wireless head"),
        ("Café crème", "cafe creme"),
        ("Cafe creme", "café crème"),
        ("Straßenkarte", "strassenkarte"),
        ("Strassenkarte", "straßenkarte"),
        ("Straßenkarte", "STRASSEN"),
        ("緑茶セット", "緑茶"),
        ("緑茶セット", "茶セ"),
        ("緑茶セット", "セット"),
        ("緑茶セット", "茶"),
        ("緑茶セット", "ト"),
        ("丝绸围巾", "围巾"),
        ("丝绸围巾", "围巾 丝绸"),
        ("iPhone用ケース", "ケース"),
        ("iPhone用ケース", "iphone"),
        ("Чайник синий", "чайник"),
        ("Ёлка", "елка"),
    ],
)
def test_name_is_found_by(named: Callable[..., None], find: Callable[..., list[str]], name: str, query: str) -> None:
    named("Something else", name)
    assert find(query) == [name]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("mug", ["Red mug", "Blue mug"]),
        ("mug -red", ["Blue mug"]),
        ('"blue mug"', ["Blue mug"]),
        ('"mug blue"', []),
        ("blue or lamp", ["Blue mug", "Lamp"]),
        ("a lamp for the desk", []),
        ("a lamp for the", ["Lamp"]),
        ("the", []),
        ("&", []),
        ("mu lamp", []),
    ],
)
def test_operators_and_stop_words(
    named: Callable[..., None], find: Callable[..., list[str]], query: str, found: list[str]
) -> None:
    named("Red mug", "Blue mug", "Lamp")
    assert find(query) == found


@pytest.mark.parametrize("query", ["AL 25854", "al 25854", "25854", "AL"])
def test_product_is_found_by_its_id(stock: Callable[..., None], find: Callable[..., list[str]], query: str) -> None:
    stock(
        Product("AL 25854", "Cup", "", "Things", 100, "EUR", 1), Product("AB 25855", "Jug", "", "Things", 1, "EUR", 1)
    )
    assert find(query) == ["Cup"]


def test_name_with_all_words_comes_first(named: Callable[..., None], find: Callable[..., list[str]]) -> None:
    named("Shirt", "The Who shirt", "Shirt of the band")
    assert find("the who shirt")[0] == "The Who shirt"


def test_name_ranks_before_description(stock: Callable[..., None], find: Callable[..., list[str]]) -> None:
    stock(Product("a", "Pad", "For a mouse", "Things", 1, "EUR", 1), Product("b", "Mouse", "", "Things", 1, "EUR", 1))
    assert find("mouse") == ["Mouse", "Pad"]


def test_description_is_searched_by_stem_and_pair(stock: Callable[..., None], find: Callable[..., list[str]]) -> None:
    stock(Product("a", "Pad", "Cups of tea, 緑茶", "Things", 1, "EUR", 1))
    assert [find(query) for query in ("cup", '"cups of tea"', "緑茶", "茶緑")] == [["Pad"], ["Pad"], ["Pad"], []]


@pytest.fixture
def russian(app: Flask, settings: Settings) -> Iterator[None]:
    services: Any = app.services  # type: ignore[attr-defined]
    services.settings = settings.model_copy(update={"search_language": "russian"})
    importer.write(
        settings.database_url,
        [Product("n1", "Чайники синие", "", "Things", 100, "EUR", 1)],
        Plan(language="russian"),
    )
    yield
    services.settings = settings


@pytest.mark.usefixtures("russian")
@pytest.mark.parametrize("query", ["чайник", "чайников", "синий чайник", "синего"])
def test_words_are_found_by_the_forms_of_the_shops_language(find: Callable[..., list[str]], query: str) -> None:
    assert find(query) == ["Чайники синие"]
