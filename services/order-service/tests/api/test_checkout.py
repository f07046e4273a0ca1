"""Quotes, and orders with address, email, shipping, tax and a payment to come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.db import batching
from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.catalog.import_file import Product

ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")
HOME = {"recipient": "Alice", "street": "Main Street 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}
METHODS = """
INSERT INTO shipping_methods (id, name, countries, currency, price_minor, free_from_minor, tax_class, active, position)
VALUES ('courier', 'Courier', '{DE,AT}', 'EUR', 990, NULL, 'standard', true, 2),
       ('standard', 'Standard', '{DE,AT}', 'EUR', 490, 5000, 'standard', true, 1),
       ('world', 'World', NULL, 'EUR', 2500, NULL, 'standard', true, 3),
       ('alps', 'Alps', '{CH}', 'EUR', 1500, NULL, 'standard', true, 4),
       ('dollar', 'Dollar', '{DE}', 'USD', 300, NULL, 'standard', true, 5),
       ('old', 'Old', '{DE}', 'EUR', 100, NULL, 'standard', false, 0)
"""
RATES = "INSERT INTO tax_rates (country, tax_class, rate) VALUES ('DE', 'standard', 19), ('DE', 'reduced', 7)"
EVERYTHING = """
SELECT o::text FROM orders o UNION ALL SELECT l::text FROM order_lines l UNION ALL SELECT e::text FROM order_events e
UNION ALL SELECT m::text FROM stock_movements m UNION ALL SELECT p::text FROM products p ORDER BY 1
"""
BOOK = Product("book", "Book", "", "Books", 1070, "EUR", 100, tax_class="reduced")
MUG = Product("mug", "Mug", "", "Kitchen", 1190, "EUR", 100)


def items(*lines: tuple[str, int]) -> dict[str, Any]:
    return {"items": [{"product_id": product_id, "qty": qty} for product_id, qty in lines]}


@pytest.fixture
def run(operator: Database) -> Callable[[str], None]:
    """Change the database as its owner."""

    def run(statement: str) -> None:
        with operator.transaction() as connection:
            connection.execute(statement)

    return run


@pytest.fixture(autouse=True)
def _shop(stock: Callable[..., None], run: Callable[[str], None]) -> None:
    stock(MUG, BOOK)
    run(METHODS)
    run(RATES)


@pytest.fixture
def everything(db: Database) -> Callable[[], list[Any]]:
    """Return all that a quote or a refusal must not change."""
    return lambda: [row[0] for row in db.fetch_all(EVERYTHING)]


@pytest.fixture
def quote(client: FlaskClient) -> Callable[..., Any]:
    def quote(*lines: tuple[str, int], **terms: Any) -> Any:
        return client.post("/orders/quote", json=items(*lines) | terms)

    return quote


@pytest.fixture
def order(client: FlaskClient) -> Callable[..., Any]:
    """Place an order, by default as Alice."""

    def order(*lines: tuple[str, int], who: dict[str, str] = ALICE, key: str | None = None, **more: Any) -> Any:
        headers = who | ({"Idempotency-Key": key} if key else {})
        return client.post("/orders", json=items(*lines) | more, headers=headers)

    return order


@pytest.fixture
def pay_first(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let orders wait for a payment, as with PAYMENT_PROVIDER."""

    def change(**terms: int) -> None:
        services: Any = app.services  # type: ignore[attr-defined]
        monkeypatch.setattr(services, "terms", services.terms._replace(**{"payment_minutes": 30, **terms}))

    return change


@pytest.fixture
def added_tax(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let prices exclude the tax."""
    services: Any = app.services  # type: ignore[attr-defined]
    monkeypatch.setattr(services, "terms", services.terms._replace(prices_include_tax=False))
    monkeypatch.setattr(services, "settings", services.settings.model_copy(update={"prices_include_tax": False}))


def test_quote_of_items_alone_has_no_shipping_and_no_tax(quote: Callable[..., Any]) -> None:
    answer = quote(("mug", 2))
    assert answer.status_code == 200
    line = {"product_id": "mug", "name": "Mug", "unit_price": 11.9, "qty": 2, "line_total": 23.8, "available": 100}
    assert answer.json == {
        "items": [line], "shortages": [], "currency": "EUR", "shipping_methods": [], "shipping": None, "tax": None,
        "total": 23.8,
    }  # fmt: skip


def test_quote_has_shipping_tax_and_total(quote: Callable[..., Any]) -> None:
    answer = quote(("mug", 1), ("book", 1), country="de", shipping_method="standard").json
    assert answer["shipping"] == {"method": "standard", "name": "Standard", "price": 4.9}
    assert answer["tax"] == {
        "included": True,
        "total": 3.38,
        "rates": [{"rate": 19, "net": 14.12, "tax": 2.68}, {"rate": 7, "net": 10.0, "tax": 0.7}],
    }
    assert answer["total"] == 27.5


@pytest.mark.usefixtures("added_tax")
def test_quote_adds_the_tax_where_prices_exclude_it(quote: Callable[..., Any], order: Callable[..., Any]) -> None:
    answer = quote(("mug", 1), ("book", 1), country="DE", shipping_method="standard").json
    assert answer["tax"] == {
        "included": False,
        "total": 3.94,
        "rates": [{"rate": 19, "net": 16.8, "tax": 3.19}, {"rate": 7, "net": 10.7, "tax": 0.75}],
    }
    assert answer["total"] == 31.44
    placed = order(("mug", 1), ("book", 1), ship_to=HOME, shipping_method="standard").json
    assert (placed["tax"], placed["total"]) == (answer["tax"], 31.44)


def test_quote_writes_nothing(quote: Callable[..., Any], everything: Callable[[], Any]) -> None:
    before = everything()
    assert quote(("mug", 1), country="DE", shipping_method="courier").status_code == 200
    assert everything() == before


def test_quote_lists_shortages(quote: Callable[..., Any]) -> None:
    answer = quote(("mug", 101), ("book", 1))
    assert answer.status_code == 200
    assert answer.json["shortages"] == [{"product_id": "mug", "wanted": 101, "available": 100}]


def test_quote_lists_the_methods_of_the_country_in_order(quote: Callable[..., Any]) -> None:
    def offers(country: str, qty: int = 1) -> list[tuple[str, float]]:
        offered = quote(("mug", qty), country=country).json["shipping_methods"]
        return [(method["id"], method["price"]) for method in offered]

    assert offers("AT") == [("standard", 4.9), ("courier", 9.9), ("world", 25)]
    assert offers("CH") == [("world", 25), ("alps", 15)]
    assert offers("DE", qty=5) == [("standard", 0), ("courier", 9.9), ("world", 25)]


def test_shipping_is_free_from_exactly_its_limit(quote: Callable[..., Any], stock: Callable[..., None]) -> None:
    stock(MUG._replace(price_minor=5000), BOOK._replace(price_minor=4999))
    assert quote(("mug", 1), country="DE", shipping_method="standard").json["shipping"]["price"] == 0
    assert quote(("book", 1), country="DE", shipping_method="standard").json["shipping"]["price"] == 4.9


@pytest.mark.parametrize(
    ("lines", "terms", "code"),
    [
        ([("mug", 1), ("none", 1)], {}, "unknown_product"),
        ([("mug", 1), ("lamp", 1)], {}, "mixed_currencies"),
        ([("mug", 998), ("mug", 2)], {}, "qty_too_large"),
        ([("mug", 1)], {"country": "DE", "shipping_method": "dollar"}, "shipping_method_unavailable"),
        ([("mug", 1)], {"country": "DE", "shipping_method": "alps"}, "shipping_method_unavailable"),
        ([("mug", 1)], {"country": "DE", "shipping_method": "old"}, "shipping_method_unavailable"),
        ([("mug", 1)], {"country": "DE", "shipping_method": "nothing"}, "shipping_method_unavailable"),
        ([("mug", 1)], {"shipping_method": "standard"}, "shipping_method_unavailable"),
        ([("mug", 1)], {"country": "UK"}, "invalid_request"),
    ],
)
def test_what_cannot_be_priced_is_refused(
    quote: Callable[..., Any], stock: Callable[..., None], lines: list[Any], terms: dict[str, str], code: str
) -> None:
    stock(Product("lamp", "Lamp", "", "Home", 1980, "USD", 5))
    answer = quote(*lines, **terms)
    assert (answer.status_code, answer.json["code"]) == (400, code)


@pytest.mark.parametrize("method", ["dollar", "alps", "old", "nothing", None])
def test_order_needs_a_method_of_its_country(
    order: Callable[..., Any], everything: Callable[[], Any], method: str | None
) -> None:
    before = everything()
    answer = order(("mug", 1), ship_to=HOME, shipping_method=method)
    assert (answer.status_code, answer.json["code"]) == (400, "shipping_method_unavailable")
    assert everything() == before


def test_order_needs_no_method_where_there_are_none(order: Callable[..., Any], run: Callable[[str], None]) -> None:
    run("UPDATE shipping_methods SET active = false WHERE currency = 'EUR'")
    answer = order(("mug", 1), ship_to=HOME | {"country": "FR"})
    assert (answer.status_code, answer.json["shipping"], answer.json["tax"]) == (201, None, None)


def test_order_to_a_country_without_methods_is_refused(
    order: Callable[..., Any], run: Callable[[str], None], everything: Callable[[], Any]
) -> None:
    run("DELETE FROM shipping_methods WHERE id = 'world'")
    before = everything()
    answer = order(("mug", 1), ship_to=HOME | {"country": "FR"})
    assert (answer.status_code, answer.json["code"]) == (400, "shipping_method_unavailable")
    assert everything() == before
    assert order(("mug", 1)).status_code == 201  # without an address nothing is shipped


def test_order_costs_what_was_quoted(quote: Callable[..., Any], order: Callable[..., Any]) -> None:
    basket = (("mug", 3), ("book", 2))
    for method in ("standard", "courier", "world"):
        quoted = quote(*basket, country="DE", shipping_method=method).json
        placed = order(*basket, ship_to=HOME, shipping_method=method, expected_total=quoted["total"]).json
        same = ("shipping", "tax", "total", "currency")
        assert {name: placed[name] for name in same} == {name: quoted[name] for name in same}


def test_order_keeps_what_was_quoted(
    *, client: FlaskClient, order: Callable[..., Any], stock: Callable[..., None], run: Callable[[str], None]
) -> None:
    placed = order(("mug", 1), ("book", 1), ship_to=HOME, email="a@shop.example", shipping_method="standard")
    assert placed.status_code == 201
    assert (placed.json["email"], placed.json["ship_to"], placed.json["total"]) == ("a@shop.example", HOME, 27.5)
    stock(MUG._replace(price_minor=1, name="Cup", tax_class="reduced"), BOOK._replace(currency="USD"))
    run("UPDATE shipping_methods SET name = 'Slow', price_minor = 1, active = false")
    run("UPDATE tax_rates SET rate = 100")
    url = placed.headers["Location"]
    assert client.get(url, headers=ALICE).data == placed.data
    run("DELETE FROM shipping_methods")
    run("DELETE FROM tax_rates")
    assert client.get(url, headers=ALICE).data == placed.data


def test_moved_price_is_refused_with_the_new_quote(
    *, order: Callable[..., Any], quote: Callable[..., Any], stock: Callable[..., None], everything: Callable[[], Any]
) -> None:
    stock(MUG._replace(price_minor=99900))
    before = everything()
    terms = {"shipping_method": "courier"}
    answer = order(("mug", 1), ship_to=HOME, expected_total=21.8, **terms)
    assert (answer.status_code, answer.json["code"]) == (409, "price_changed")
    assert answer.json["quote"] == quote(("mug", 1), country="DE", **terms).json
    assert everything() == before
    assert order(("mug", 1), ship_to=HOME, expected_total=1008.9, **terms).status_code == 201


def test_expected_total_of_items_alone_is_checked(order: Callable[..., Any]) -> None:
    assert order(("mug", 1), expected_total=11.9).status_code == 201
    refused = order(("mug", 1), expected_total=11.91)
    assert (refused.status_code, refused.json["quote"]["total"]) == (409, 11.9)


def test_request_of_the_first_version_is_answered_as_before(client: FlaskClient, stock: Callable[..., None]) -> None:
    stock(Product("p1", "Mouse", "", "", 1999, "EUR", 9), Product("p3", "Hub", "", "", 2490, "EUR", 9))
    placed: Any = client.post("/create_order", json=items(("p1", 2), ("p3", 1)), headers=ALICE).json
    assert (placed["total"], placed["shipping"], placed["tax"]) == (64.88, None, None)
    assert placed["payment"] == {"status": "not_required", "pay_until": None, "paid": 0, "refunded": 0}


def test_repeated_order_answers_the_same(order: Callable[..., Any], run: Callable[[str], None]) -> None:
    request: dict[str, Any] = {"ship_to": HOME, "email": "a@shop.example", "shipping_method": "standard", "key": "k"}
    first = order(("mug", 1), **request, expected_total=16.8)
    assert first.status_code == 201
    run("UPDATE products SET price_minor = 1, stock = 0")
    run("DELETE FROM shipping_methods")
    again = order(("mug", 1), **request, expected_total=16.8)
    assert (again.status_code, again.data, again.headers["Idempotent-Replayed"]) == (201, first.data, "true")


@pytest.mark.parametrize(
    "change",
    [
        {"email": "b@shop.example"},
        {"shipping_method": "courier"},
        {"expected_total": 16.8},
        {"ship_to": HOME | {"city": "Bonn"}},
    ],
)
def test_key_of_another_order_is_refused(
    order: Callable[..., Any], everything: Callable[[], Any], change: dict[str, Any]
) -> None:
    request: dict[str, Any] = {"ship_to": HOME, "email": "a@shop.example", "shipping_method": "standard"}
    assert order(("mug", 1), key="k", **request).status_code == 201
    before = everything()
    assert order(("mug", 1), key="k", **request | change).status_code == 422
    assert everything() == before


def test_few_orders_of_a_product_wait_unpaid(
    order: Callable[..., Any], pay_first: Callable[..., None], everything: Callable[[], Any], client: FlaskClient
) -> None:
    pay_first(most_unpaid_orders=2)
    first = order(("mug", 1))
    assert first.json["payment"]["status"] == "pending"
    assert order(("mug", 1)).status_code == 201
    before = everything()
    refused = order(("book", 1), ("mug", 1))
    assert (refused.status_code, refused.json["code"]) == (409, "too_many_unpaid")
    assert refused.json["products"] == ["mug"]
    assert everything() == before
    assert order(("book", 1)).status_code == 201
    assert order(("mug", 1), who=BOB).status_code == 201
    client.post(f"{first.headers['Location']}/cancel", headers=ALICE)
    assert order(("mug", 1)).status_code == 201


def test_few_units_of_a_product_wait_unpaid(order: Callable[..., Any], pay_first: Callable[..., None]) -> None:
    pay_first(most_unpaid_units=5)
    assert order(("mug", 6)).status_code == 409
    assert order(("mug", 3)).status_code == 201
    assert order(("mug", 3)).status_code == 409
    assert order(("mug", 2)).status_code == 201


def test_free_order_needs_no_payment(
    order: Callable[..., Any], pay_first: Callable[..., None], stock: Callable[..., None]
) -> None:
    pay_first()
    stock(MUG._replace(price_minor=0))
    assert order(("mug", 1)).json["payment"]["status"] == "not_required"


@pytest.mark.parametrize("lines", [[("mug", 1)], [("mug", 1), ("book", 1)]])
def test_racing_orders_never_exceed_the_unpaid_limit(
    *, app: Flask, pay_first: Callable[..., None], db: Database, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    monkeypatch.setattr(batching, "BRIEF_SECONDS", 60)
    pay_first(most_unpaid_orders=3)
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: app.test_client().post("/orders", json=items(*lines), headers=ALICE), range(16))
        )
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 13}
    assert len(db.fetch_all("SELECT FROM orders WHERE payment_status = 'pending'")) == 3
