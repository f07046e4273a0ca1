"""The first page of the back office: its numbers are those of the lists behind them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from order_states import SAM, put
from werkzeug.test import TestResponse

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import browser
from order_service.catalog.import_file import Product
from order_service.dashboard import queries
from order_service.orders.queries import order_key

YESTERDAY = (
    "UPDATE orders SET placed_at = date_trunc('day', now(), 'UTC') - interval '1 second' WHERE id = %(id)s RETURNING id"
)
REFUSED = "UPDATE orders SET email_refused_at = now() WHERE id = %(id)s RETURNING id"
FAILED = """
INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason, status, created_at)
SELECT order_id, id, 100, currency, 'requested', 'failed', now() - make_interval(days => %(days)s)
FROM payments WHERE order_id = %(id)s RETURNING id
"""
JOB = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at)
VALUES ('t', 'refund_payment', '{"refund_id": "r-1"}', CAST(%(status)s AS procrastinate_job_status),
        now() + make_interval(secs => %(seconds)s)) RETURNING id
"""


@pytest.fixture
def sam(app: Api) -> FlaskClient:
    """Return the browser of Sam, who is one of the staff."""
    return browser(app, SAM["Authorization"].removeprefix("Bearer "))


def figures(answer: TestResponse) -> dict[str, tuple[str, str]]:
    """Return number and URL by label."""
    assert answer.status_code == 200, answer.text
    found = re.findall(r'<a href="([^"]*)"><b>(.*?)</b> <span>(.*?)</span>', answer.text)
    return {label: (html.unescape(number), html.unescape(url)) for url, number, label in found}


def listed(sam: FlaskClient, url: str) -> int:
    answer = sam.get(url)
    assert answer.status_code == 200
    return len(re.findall(r"<tr[ >]", answer.text.partition("<tbody>")[2]))


def run(db: Database, statement: str, placed: Any, **values: Any) -> None:
    db.fetch_one(statement, {"id": order_key(placed.json["order_id"]), **values})


def test_an_empty_shop_has_nothing_to_look_after(sam: FlaskClient) -> None:
    answer = sam.get("/backoffice")
    assert {number for number, _ in figures(answer).values()} == {"0"}
    assert "Nothing waits to be shipped." in answer.text
    assert "Every product for sale has more than 5 units." in answer.text


def test_todays_orders_and_revenue_are_by_currency(
    sam: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], db: Database
) -> None:
    stock(Product("yen", "Yen", "", "Home", 1500, "JPY", 50), p1=50)
    put(db, place(p1=1).json["order_id"], "placed", "paid")
    put(db, place(p1=2).json["order_id"], "shipped", "partially_refunded")
    put(db, place(p1=4).json["order_id"], "placed", "pending")
    put(db, place(p1=5).json["order_id"], "cancelled", "not_required")
    run(db, YESTERDAY, place(p1=7))
    place(yen=2)
    answer = sam.get("/backoffice")
    revenue = re.findall(r"<b>(.*?)</b> <span>revenue</span> <small>(.*?)</small>", answer.text)
    assert revenue == [("€29.99", "4 orders in EUR"), ("JP¥3,000", "1 order in JPY")]
    number, url = figures(answer)["orders placed"]
    assert (number, listed(sam, url)) == ("5", 5)
    assert "in UTC" in answer.text


def test_each_number_is_that_of_the_list_behind_it(
    sam: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], db: Database
) -> None:
    stock(p1=50, p2=5, p3=0)
    orders = [place(p1=1) for _ in range(9)]
    states = [("placed", "paid"), ("placed", "pending"), ("placed", "failed"), ("shipped", "paid"), ("shipped", "paid"),
              ("delivered", "paid"), ("placed", "not_required"), ("cancelled", "refunded"),
              ("delivered", "paid")]  # fmt: skip
    for placed, (status, payment) in zip(orders, states, strict=True):
        put(db, placed.json["order_id"], status, payment)
    run(db, REFUSED, orders[3])
    run(db, REFUSED, orders[5])
    run(db, FAILED, orders[4], days=29)
    run(db, FAILED, orders[4], days=1)
    run(db, FAILED, orders[8], days=31)
    for status, seconds in (("todo", -1), ("todo", 3600), ("failed", 0), ("failed", 0), ("failed", 0), ("doing", 0)):
        db.fetch_one(JOB, {"status": status, "seconds": seconds})
    db.fetch_one("DELETE FROM procrastinate_jobs WHERE queue_name <> 't' RETURNING id")
    found = figures(sam.get("/backoffice"))
    assert {label: number for label, (number, _) in found.items() if label not in {"orders placed", "revenue"}} == {
        "to ship": "2", "unpaid": "2", "low in stock": "2", "with a failed refund": "1", "with a refused mail": "1",
        "jobs failed": "3", "jobs waiting": "1",
    }  # fmt: skip
    for label, (number, url) in found.items():
        if label != "revenue":
            assert listed(sam, url) == int(number), label


def test_what_comes_first_is_linked(sam: FlaskClient, stock: Callable[..., None], place: Callable[..., Any]) -> None:
    stock(Product("TEE/RED", "<b>Tee", "", "Clothing", 2000, "EUR", 2), p1=50, p2=0)
    first, second = place(p1=1).json, place(p1=1).json
    page = sam.get("/backoffice").text
    assert re.findall(r'<a href="(/backoffice/orders/o-[^"]*)">(.*?)</a>', page) == [
        (f"/backoffice/orders/{placed['order_id']}", placed["number"]) for placed in (first, second)
    ]
    assert re.findall(r'<a href="/backoffice/products/([^"?]*)">(.*?)</a>', page) == [
        ("p2", "Product p2"), ("TEE/RED", "&lt;b&gt;Tee"),
    ]  # fmt: skip


def test_counting_ends_at_some_number(
    sam: FlaskClient, stock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(p1=1, p2=2, p3=3)
    monkeypatch.setattr(queries, "MOST", 2)
    assert figures(sam.get("/backoffice"))["low in stock"][0] == "2+"


def test_jobs_are_listed_by_state(sam: FlaskClient, db: Database) -> None:
    assert "No job has failed" in sam.get("/backoffice/jobs").text
    db.fetch_one(JOB, {"status": "failed", "seconds": 0})
    failed, waiting = sam.get("/backoffice/jobs?status=nonsense").text, sam.get("/backoffice/jobs?status=waiting").text
    assert "<strong>Refund payment</strong>" in failed
    assert "<code>r-1</code>" in failed
    assert "No job is waiting" in waiting


def test_the_overview_runs_one_statement(sam: FlaskClient, db: Database, count_statements: Callable[..., Any]) -> None:
    assert sam.get("/backoffice").status_code == 200
    with count_statements(db) as statements:
        assert sam.get("/backoffice").status_code == 200
    assert len(statements) == 1
