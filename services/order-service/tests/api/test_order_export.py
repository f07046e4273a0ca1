"""The CSV file of orders for the accountant."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from order_states import CONTACT, SAM, put

from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.fulfilment import exporter

ALICE = bearer("u-alice", "alice")
TAXED = """
UPDATE orders SET shipping_minor = 490, shipping_tax_minor = 93, tax_minor = 303, prices_include_tax = %(included)s,
    tax = '[{"rate": 19.000, "net_minor": 1490, "tax_minor": 283}, {"rate": 5.5, "net_minor": 364, "tax_minor": 20}]',
    total_minor = total_minor + 490 + %(added)s
WHERE order_number(id) = %(number)s RETURNING 1
"""


@pytest.fixture
def export(client: FlaskClient) -> Callable[..., Any]:
    return lambda **query: client.get("/admin/orders/export", query_string=query, headers=SAM)


def table(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(answer.text.splitlines()))


def test_file_has_amounts_and_the_tax_of_each_rate(
    export: Callable[..., Any], stock: Callable[..., None], client: FlaskClient, place: Callable[..., Any], db: Database
) -> None:
    stock(mug=100)
    plain = place(mug=1).json
    body = {"items": [{"product_id": "mug", "qty": 2}], **CONTACT}
    included, added = (client.post("/orders", json=body, headers=ALICE).json for _ in range(2))
    db.fetch_one(TAXED, {"number": included["number"], "included": True, "added": 0})  # type: ignore[index]
    db.fetch_one(TAXED, {"number": added["number"], "included": False, "added": 303})  # type: ignore[index]
    put(db, added["order_id"], "shipped", "partially_refunded")  # type: ignore[index]
    answer = export()
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="orders.csv"'
    first, second, third = table(answer)
    assert list(first) == [
        "number", "order_id", "placed_at", "status", "payment_status", "country", "currency", "goods", "shipping",
        "tax_included", "tax", "net 19 %", "tax 19 %", "net 5.5 %", "tax 5.5 %", "total", "paid", "refunded",
    ]  # fmt: skip
    assert list(first.values()) == [
        plain["number"], plain["order_id"], plain["placed_at"][:19] + "+00:00", "placed", "not_required", "", "EUR",
        "10.00", "0.00", "yes", "0.00", "", "", "", "", "10.00", "0.00", "0.00",
    ]  # fmt: skip
    rates = ["14.90", "2.83", "3.64", "0.20"]
    assert [*second.values()][5:] == ["DE", "EUR", "20.00", "4.90", "yes", "3.03", *rates, "24.90", "0.00", "0.00"]
    assert [*third.values()][3:] == [
        "shipped", "partially_refunded", "DE", "EUR", "20.00", "4.90", "no", "3.03", *rates, "27.93", "27.93", "0.01"
    ]  # fmt: skip


def test_file_holds_the_orders_of_a_time(
    export: Callable[..., Any], stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(mug=100)
    first, second, third = (place(mug=1).json for _ in range(3))
    found = table(export(since=second["placed_at"], until=third["placed_at"]))
    assert [row["number"] for row in found] == [second["number"]]
    assert [row["number"] for row in table(export(until=second["placed_at"]))] == [first["number"]]
    assert table(export(since="2999-01-01T00:00:00Z")) == []


def test_file_of_many_pages_has_each_order_once(
    *,
    export: Callable[..., Any],
    stock: Callable[..., None],
    place: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stock(mug=100)
    monkeypatch.setattr(exporter, "_STEP", 2)
    placed = [place(mug=1).json["number"] for _ in range(5)]
    assert [row["number"] for row in table(export())] == placed


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_formulas_are_defused(
    export: Callable[..., Any], stock: Callable[..., None], place: Callable[..., Any], db: Database, formula: str
) -> None:
    stock(mug=100)
    place(mug=1)
    db.fetch_one(
        "UPDATE orders SET ship_to = jsonb_build_object('country', CAST(%(f)s AS text)) RETURNING 1", {"f": formula}
    )
    assert f"'{formula}" in export().text


def test_amounts_have_the_decimals_of_their_currency(
    export: Callable[..., Any], stock: Callable[..., None], place: Callable[..., Any]
) -> None:
    stock(tea=9, price_minor=1980, currency="JPY")
    stock(oil=9, price_minor=1250, currency="KWD")
    place(tea=1)
    place(oil=1)
    assert [(row["goods"], row["total"]) for row in table(export())] == [("1980", "1980"), ("1.250", "1.250")]


def test_too_many_orders_are_refused_with_a_way_forward(
    *,
    export: Callable[..., Any],
    stock: Callable[..., None],
    place: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stock(mug=100)
    monkeypatch.setattr(exporter, "MOST_ORDERS", 2)
    placed = [place(mug=1).json["placed_at"] for _ in range(3)]
    answer = export()
    assert (answer.status_code, answer.json["code"]) == (400, "export_too_large")
    assert answer.json["error"] == "more than 2 orders: choose a shorter time by `since` and `until`"
    assert len(table(export(since=placed[1]))) == 2


@pytest.mark.parametrize(
    "query", [{"since": "x"}, {"until": "2026-11-27"}, {"limit": "1"}, {"since": "2026-11-27T08:00:00"}]
)
def test_bad_time_is_refused(export: Callable[..., Any], query: dict[str, str]) -> None:
    assert (export(**query).status_code, export(**query).json["code"]) == (400, "invalid_request")
