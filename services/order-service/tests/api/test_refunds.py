"""Refunds that staff request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from order_states import CONTACT, SAM, books, put, state, traces

from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.orders.queries import order_key
from order_service.refunds import rules
from order_service.settings import Settings

ALICE = bearer("u-alice", "alice")
MUG = {"lines": [{"line": 1, "qty": 1}], "reason": "broken"}


@pytest.fixture
def paid(client: FlaskClient, stock: Callable[..., None], db: Database) -> Callable[..., str]:
    """Place an order of three mugs for 10.01 and two cups for 9.99 each and pay for it; return its id."""
    stock(mug=100, price_minor=1001)
    stock(cup=100, price_minor=999)

    def place(status: str = "placed", payment: str = "paid", **charged: int | bool) -> str:
        body = {"items": [{"product_id": "mug", "qty": 3}, {"product_id": "cup", "qty": 2}], **CONTACT}
        order_id = str(client.post("/orders", json=body, headers=ALICE).json["order_id"])  # type: ignore[index]
        for column, value in charged.items():
            db.fetch_one(f"UPDATE orders SET {column} = {value} RETURNING 1")
        put(db, order_id, status, payment)
        return order_id

    return place


@pytest.fixture
def refund(client: FlaskClient) -> Callable[..., Any]:
    """Request a refund as the staff member Sam."""

    def send(order_id: str, body: Any, key: str | None = "k-1") -> Any:
        headers = SAM | ({"Idempotency-Key": key} if key else {})
        return client.post(f"/admin/orders/{order_id}/refunds", json=body, headers=headers)

    return send


def shown(client: FlaskClient, order_id: str) -> Any:
    return client.get(f"/admin/orders/{order_id}", headers=SAM).json


def test_refunded_units_return_money_and_stock(
    client: FlaskClient, paid: Callable[..., str], refund: Callable[..., Any], db: Database, left: Callable[[str], int]
) -> None:
    order_id = paid("shipped")
    body = {"lines": [{"line": 1, "qty": 2}, {"product_id": "cup", "qty": 1}], "restock": True, "reason": "broken"}
    answer = refund(order_id, body)
    assert answer.status_code == 201, answer.text
    assert {name: answer.json[name] for name in ("order_id", "amount", "currency", "status", "lines", "shipping")} == {
        "order_id": order_id, "amount": 30.01, "currency": "EUR", "status": "pending",
        "lines": [{"line": 1, "qty": 2}, {"line": 2, "qty": 1}], "shipping": False,
    }  # fmt: skip
    order = shown(client, order_id)
    assert order["payment"] == {"status": "partially_refunded", "pay_until": None, "paid": 50.01, "refunded": 30.01}
    assert [line["refunded_qty"] for line in order["lines"]] == [2, 1]
    assert (order["refundable"], order["refunds"][0]["refund_id"]) == (
        {"amount": 20.0, "shipping": 0.0}, answer.json["refund_id"]
    )  # fmt: skip
    assert (left("mug"), left("cup")) == (99, 99)
    job = db.fetch_one("SELECT task_name, args FROM procrastinate_jobs")
    refund_id = answer.json["refund_id"].removeprefix("r-")
    assert (job.task_name, job.args["refund_id"].replace("-", "")) == ("refund_payment", refund_id)
    entry = db.fetch_one("SELECT staff_name, before, after FROM audit_entries WHERE action = 'order.refund'")
    assert (entry.staff_name, entry.before, entry.after) == (
        "sam",
        {"payment_status": "paid"},
        {"payment_status": "partially_refunded", "reason": "broken", "amount": 30.01, "restock": True,
         "refund_id": answer.json["refund_id"]},
    )  # fmt: skip
    books(db)


def test_units_without_restock_stay_out_of_the_stock(
    paid: Callable[..., str], refund: Callable[..., Any], db: Database, left: Callable[[str], int]
) -> None:
    assert refund(paid("delivered"), MUG).status_code == 201
    assert left("mug") == 97
    books(db)


@pytest.mark.parametrize("include_tax", [True, False])
def test_refunds_of_all_parts_one_by_one_are_the_total(
    *,
    client: FlaskClient,
    paid: Callable[..., str],
    refund: Callable[..., Any],
    db: Database,
    include_tax: bool,
) -> None:
    """Tax of 19 % on 30.03 and 7 % on 19.98, and 4.90 for shipping with 0.93 of tax."""
    order_id = paid("placed", "not_required")
    db.fetch_one("UPDATE order_lines SET tax_minor = CASE line WHEN 1 THEN 571 ELSE 140 END RETURNING 1")
    tax = 0 if include_tax else 571 + 140 + 93
    db.fetch_one(
        "UPDATE orders SET shipping_minor = 490, shipping_tax_minor = 93, tax_minor = 804, prices_include_tax = %(in)s,"
        " total_minor = total_minor + 490 + %(tax)s RETURNING 1",
        {"in": include_tax, "tax": tax},
    )
    put(db, order_id, "shipped", "paid")
    parts: list[Any] = [{"lines": [{"line": 1, "qty": 1}]}] * 3 + [{"lines": [{"product_id": "cup", "qty": 1}]}] * 2
    parts.insert(2, {"shipping": True})
    amounts = []
    for number, part in enumerate(parts):
        answer = refund(order_id, part | {"reason": "returned", "restock": "lines" in part}, f"k-{number}")
        assert answer.status_code == 201, answer.text
        amounts.append(round(answer.json["amount"] * 100))
    assert sum(amounts) == 5001 + 490 + tax
    assert amounts[2] == (490 if include_tax else 583)
    assert state(db, order_id) == ("shipped", "refunded")
    assert shown(client, order_id)["refundable"] == {"amount": 0.0, "shipping": 0.0}
    books(db)


@settings(deadline=None, max_examples=50)
@given(total=st.integers(0, 10**12), qty=st.integers(1, 40), data=st.data())
def test_parts_of_a_line_always_add_up(total: int, qty: int, data: Any) -> None:
    line, refunded = rules.Line(1, "mug", qty, 0, total), 0
    while line.refunded_qty < qty:
        units = data.draw(st.integers(1, qty - line.refunded_qty))
        amount = rules._of_line(line, units)
        assert abs(amount - total * units / qty) <= 1 + total / 2**50
        refunded, line = refunded + amount, line._replace(refunded_qty=line.refunded_qty + units)
    assert refunded == total


def test_amount_is_refunded_up_to_what_was_paid(
    paid: Callable[..., str], refund: Callable[..., Any], db: Database
) -> None:
    order_id = paid()
    assert refund(order_id, {"amount": 10, "reason": "late"}, "k-1").json["lines"] is None
    before = traces(db)
    refused = refund(order_id, {"amount": 40.02, "reason": "late"}, "k-2")
    assert (refused.status_code, refused.json["code"], refused.json["refundable"]) == (409, "refund_too_large", 40.01)
    assert refused.json["error"] == (
        "40.02 EUR is more than the 40.01 that can be refunded: refund an `amount` of at most that"
    )
    by_line = refund(order_id, {"lines": [{"line": 1, "qty": 3}, {"line": 2, "qty": 2}], "reason": "all"}, "k-3")
    assert (by_line.status_code, by_line.json["code"], traces(db)) == (409, "refund_too_large", before)
    assert refund(order_id, {"amount": 40.01, "reason": "late"}, "k-2").status_code == 201
    assert state(db, order_id) == ("placed", "refunded")
    refused = refund(order_id, {"amount": 0.01, "reason": "late"}, "k-4")
    assert (refused.status_code, refused.json["code"]) == (409, "not_refundable")
    assert (refused.json["status_of_order"], refused.json["payment_status"]) == ("placed", "refunded")
    books(db)


def test_no_more_units_are_refunded_than_were_sold(
    paid: Callable[..., str], refund: Callable[..., Any], db: Database
) -> None:
    order_id = paid()
    refund(order_id, MUG | {"lines": [{"line": 1, "qty": 2}]}, "k-1")
    before = traces(db)
    for lines in ([{"line": 1, "qty": 2}], [{"line": 1, "qty": 1}, {"product_id": "mug", "qty": 1}]):
        refused = refund(order_id, MUG | {"lines": lines}, "k-2")
        assert (refused.status_code, refused.json["code"], refused.json["left"]) == (409, "too_many_units", 1)
        assert refused.json["error"] == "only 1 of 3 units of mug can still be refunded"
    assert traces(db) == before


def test_shipping_is_refunded_once(paid: Callable[..., str], refund: Callable[..., Any], db: Database) -> None:
    order_id = paid(shipping_minor=490, total_minor=5491)
    assert refund(order_id, {"shipping": True, "reason": "late"}, "k-1").json["amount"] == 4.9
    refused = refund(order_id, {"shipping": True, "reason": "late"}, "k-2")
    assert (refused.status_code, refused.json["code"]) == (409, "shipping_refunded")
    books(db)


def test_shipping_that_cost_nothing_is_not_refunded(paid: Callable[..., str], refund: Callable[..., Any]) -> None:
    refused = refund(paid(), {"shipping": True, "reason": "late"})
    assert (refused.status_code, refused.json["code"]) == (409, "nothing_to_refund")


def test_same_key_and_body_refund_once(paid: Callable[..., str], refund: Callable[..., Any], db: Database) -> None:
    order_id = paid()
    first, before = refund(order_id, MUG), traces(db)
    db.fetch_one("UPDATE refunds SET status = 'done', finished_at = now() RETURNING 1")
    again = refund(order_id, MUG)
    assert (again.status_code, again.text, traces(db)) == (201, first.text, before)
    other = refund(order_id, MUG | {"restock": True})
    assert (other.status_code, other.json["code"], traces(db)) == (422, "idempotency_key_reused", before)
    assert refund(paid(), MUG).status_code == 201  # a key belongs to one order


def test_amount_has_the_decimals_of_its_currency(
    paid: Callable[..., str], refund: Callable[..., Any], db: Database
) -> None:
    order_id = paid()
    refused = refund(order_id, {"amount": 1.005, "reason": "late"})
    assert (refused.status_code, refused.json["error"]) == (400, "amount: EUR has 2 decimals: round it")
    db.fetch_one("UPDATE orders SET currency = 'JPY' RETURNING 1")
    refused = refund(order_id, {"amount": 1.5, "reason": "late"})
    assert (refused.status_code, refused.json["error"]) == (400, "amount: JPY has no decimals: round it")
    assert refund(order_id, {"amount": 5001, "reason": "late"}).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {}, [], {"reason": "x"}, {"amount": 1}, {"amount": 1, "reason": " "}, {"amount": 0, "reason": "x"},
        {"amount": -1, "reason": "x"}, {"amount": "1", "reason": "x"}, {"amount": True, "reason": "x"},
        {"amount": 1e300, "reason": "x"}, {"amount": 1, "shipping": True, "reason": "x"}, MUG | {"amount": 1},
        {"amount": 1, "restock": True, "reason": "x"}, {"shipping": True, "restock": True, "reason": "x"},
        {"lines": [], "reason": "x"}, MUG | {"lines": [{"qty": 1}]}, MUG | {"lines": [{"line": 1}]},
        MUG | {"lines": [{"line": 1, "product_id": "mug", "qty": 1}]}, MUG | {"lines": [{"line": 0, "qty": 1}]},
        MUG | {"lines": [{"line": 3, "qty": 1}]}, MUG | {"lines": [{"product_id": "tea", "qty": 1}]},
        MUG | {"lines": [{"line": 1, "qty": 0}]}, MUG | {"lines": [{"line": 1, "qty": -1}]},
        MUG | {"lines": [{"line": 1, "qty": 1000}]}, MUG | {"lines": [{"line": 1, "qty": 1.5}]},
        MUG | {"lines": [{"line": 1, "qty": 1}] * 51}, MUG | {"colour": "red"}, MUG | {"reason": "a\x00"},
    ],
)  # fmt: skip
def test_bad_refund_is_refused_and_moves_nothing(
    paid: Callable[..., str], refund: Callable[..., Any], db: Database, body: Any
) -> None:
    order_id = paid()
    before = traces(db), state(db, order_id)
    answer = refund(order_id, body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request"), answer.text
    assert (traces(db), state(db, order_id)) == before


@pytest.mark.parametrize("key", [None, "", "a b", "k" * 256])
def test_refund_needs_an_idempotency_key(
    paid: Callable[..., str], refund: Callable[..., Any], db: Database, key: str | None
) -> None:
    order_id, before = paid(), traces(db)
    answer = refund(order_id, MUG, key)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request"), answer.text
    assert traces(db)["refunds"] == before["refunds"] == 0


@pytest.mark.parametrize("order_id", ["o-" + "0" * 32, "x"])
def test_refund_of_an_unknown_order_is_404(refund: Callable[..., Any], order_id: str) -> None:
    assert refund(order_id, MUG).status_code == 404


def at_once(app: Flask, order_id: str, bodies: list[Any]) -> Counter[int]:
    def send(numbered: tuple[int, Any]) -> int:
        headers = SAM | {"Idempotency-Key": f"k-{numbered[0]}"}
        url = f"/admin/orders/{order_id}/refunds"
        return app.test_client().post(url, json=numbered[1], headers=headers).status_code

    with ThreadPoolExecutor(len(bodies)) as pool:
        return Counter(pool.map(send, enumerate(bodies)))


def test_racing_refunds_never_exceed_what_was_paid(app: Flask, paid: Callable[..., str], db: Database) -> None:
    order_id = paid()
    assert at_once(app, order_id, [{"amount": 10, "reason": "late"}] * 12) == {201: 5, 409: 7}
    assert db.fetch_one("SELECT refunded_minor FROM orders").refunded_minor == 5000
    books(db)


def test_racing_refunds_of_units_return_each_unit_once(
    app: Flask, paid: Callable[..., str], db: Database, left: Callable[[str], int]
) -> None:
    order_id = paid()
    mugs = [MUG | {"restock": True}] * 6
    cups = [{"lines": [{"line": 2, "qty": 1}, {"line": 1, "qty": 1}], "restock": True, "reason": "x"}] * 6
    answers = at_once(app, order_id, [body for pair in zip(mugs, cups, strict=True) for body in pair])
    assert answers.keys() == {201, 409}
    assert left("mug") == 100
    books(db)


def test_racing_requests_with_one_key_refund_once(app: Flask, paid: Callable[..., str], db: Database) -> None:
    order_id = paid()
    url, headers = f"/admin/orders/{order_id}/refunds", SAM | {"Idempotency-Key": "k"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.test_client().post(url, json=MUG, headers=headers), range(8)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert traces(db)["refunds"] == 1
    books(db)


def wait_for_a_lock(db: Database) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while db.fetch_one(waiting) is None:
        pass


def test_cancel_that_waited_for_a_refund_returns_the_other_units(
    app: Flask, settings: Settings, paid: Callable[..., str], db: Database, left: Callable[[str], int]
) -> None:
    order_id = paid()
    with psycopg.connect(settings.database_url) as other, ThreadPoolExecutor(1) as pool:
        key = {"id": order_key(order_id)}
        other.execute("SELECT FROM orders WHERE id = %(id)s FOR NO KEY UPDATE", key)
        answer = pool.submit(lambda: app.test_client().post(f"/orders/{order_id}/cancel", headers=ALICE))
        wait_for_a_lock(db)
        other.execute("UPDATE order_lines SET refunded_qty = 2 WHERE order_id = %(id)s AND line = 1", key)
        other.commit()
        assert answer.result().status_code == 200
    assert (left("mug"), left("cup")) == (98, 100)


def test_cancel_that_waited_for_the_payment_refunds_it(
    app: Flask, settings: Settings, paid: Callable[..., str], db: Database
) -> None:
    order_id = paid("placed", "pending")
    key = {"id": order_key(order_id)}
    db.fetch_one(
        "INSERT INTO payments (order_id, provider, provider_id, amount_minor, currency, status)"
        " VALUES (%(id)s, 'test', 'x', 5001, 'EUR', 'open') RETURNING 1",
        key,
    )
    with psycopg.connect(settings.database_url) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT FROM orders WHERE id = %(id)s FOR NO KEY UPDATE", key)
        answer = pool.submit(lambda: app.test_client().post(f"/orders/{order_id}/cancel", headers=ALICE))
        wait_for_a_lock(db)
        other.execute("UPDATE payments SET status = 'paid', accepted = true, paid_minor = 5001")
        other.execute("UPDATE orders SET payment_status = 'paid', paid_minor = 5001")
        other.commit()
        assert answer.result().status_code == 200
    assert state(db, order_id) == ("cancelled", "refunded")
    books(db)
