"""The back office's pages of refunds: what, then the exact amount, and only then the money moves."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from order_states import CONTACT, SAM, books, put, state, traces
from werkzeug.test import TestResponse

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser, field_errors
from order_service.catalog.import_file import Product

ALICE = bearer("u-alice", "alice")
NASTY = '"><script>alert(1)</script>'
SHIPPING = """
UPDATE orders SET shipping_method = 'post', shipping_name = 'Post', shipping_minor = 490,
    total_minor = total_minor + 490 RETURNING id
"""
REFUNDS = "SELECT amount_minor, lines, idempotency_key FROM refunds ORDER BY id"


@pytest.fixture
def sam(app: Api) -> FlaskClient:
    """Return the browser of Sam, who is one of the staff."""
    return browser(app, SAM["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def url(client: FlaskClient, stock: Callable[..., None], db: Database) -> str:
    """Return the refund page of a paid order: three mugs for 10.00, a lamp for 25.50, the post for 4.90."""
    stock(Product("lamp", "Lamp", "", "Home", 2550, "EUR", 5), mug=100)
    lines = [{"product_id": "mug", "qty": 3}, {"product_id": "lamp", "qty": 1}]
    placed: Any = client.post("/orders", json={"items": lines, **CONTACT}, headers=ALICE).json
    db.fetch_one(SHIPPING)
    put(db, placed["order_id"], "placed", "paid")
    return f"/backoffice/orders/{placed['order_id']}/refund"


def hidden(answer: TestResponse) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="(.*?)"', answer.text)
    return {name: html.unescape(value) for name, value in fields}


def heading(answer: TestResponse) -> str:
    found = re.search("<h1>(.*?)</h1>", answer.text)
    assert found
    return found[1]


def order_id(url: str) -> str:
    return url.split("/")[3]


def refunds(db: Database) -> list[tuple[int, Any]]:
    return [tuple(row)[:2] for row in db.fetch_all(REFUNDS)]


def refund(sam: FlaskClient, url: str, **form: str) -> TestResponse:
    """Fill in the form, look at the amount, and confirm it."""
    asked = sam.post(url, data={"reason": "broken", **form})
    assert asked.status_code == 200, asked.text
    return sam.post(url, data=hidden(asked) | {"do": "refund"})


@pytest.mark.parametrize(
    ("form", "amount", "lines"),
    [
        ({"units_1": "1"}, "€10.00", [{"line": 1, "qty": 1}]),
        ({"units_1": "2", "units_2": "1"}, "€45.50", [{"line": 1, "qty": 2}, {"line": 2, "qty": 1}]),
        ({"shipping": "true"}, "€4.90", [{"line": 0, "qty": 1}]),
        ({"amount": "12.34"}, "€12.34", None),
        ({"units_1": "0", "units_2": "", "amount": "60.40"}, "€60.40", None),
    ],
)
def test_the_exact_amount_is_said_before_money_moves(
    *, sam: FlaskClient, url: str, db: Database, form: dict[str, str], amount: str, lines: Any
) -> None:
    before = traces(db)
    asked = sam.post(url, data={"reason": NASTY, **form})
    assert (asked.status_code, heading(asked)) == (200, f"Refund {amount}?")
    assert NASTY not in asked.text
    assert traces(db) == before
    answer = sam.post(url, data=hidden(asked) | {"do": "refund"})
    assert answer.headers["Location"] == url.replace("/refund", "?done=refunded")
    assert refunds(db) == [(round(float(amount[1:]) * 100), lines)]
    assert f"Refund of {amount} requested" in sam.get(answer.headers["Location"]).text
    books(db)


def test_everything_that_is_left_is_filled_in(sam: FlaskClient, url: str, db: Database) -> None:
    refund(sam, url, units_1="1")
    page = sam.get(f"{url}?all=1")
    filled = dict(re.findall(r'name="(units_\d)".*? value="(.*?)"', page.text))
    assert filled == {"units_1": "2", "units_2": "1"}
    assert 'name="shipping" type="checkbox" value="true" checked' in page.text
    refund(sam, url, **filled, shipping="true", restock="true")
    assert state(db, order_id(url)) == ("placed", "refunded")
    assert [amount for amount, _ in refunds(db)] == [1000, 5040]
    assert sam.get(url).headers["Location"] == url.removesuffix("/refund")
    books(db)


def test_units_return_to_the_stock_only_if_wanted(sam: FlaskClient, url: str, left: Callable[[str], int]) -> None:
    refund(sam, url, units_1="1")
    assert left("mug") == 97
    refund(sam, url, units_1="1", restock="true")
    assert left("mug") == 98


def test_a_confirmation_that_is_sent_twice_refunds_once(sam: FlaskClient, url: str, db: Database) -> None:
    form = hidden(sam.post(url, data={"units_1": "1", "reason": "broken"})) | {"do": "refund"}
    for _ in range(2):
        assert sam.post(url, data=form).status_code == 303
    assert refunds(db) == [(1000, [{"line": 1, "qty": 1}])]
    other = sam.post(url, data=form | {"units_1": "2"})
    assert other.status_code == 422
    assert len(refunds(db)) == 1


@pytest.mark.parametrize("changed", [{"expected": "999"}, {"units_1": "2"}])
def test_another_amount_than_the_confirmed_one_is_asked_again(
    sam: FlaskClient, url: str, db: Database, changed: dict[str, str]
) -> None:
    form = hidden(sam.post(url, data={"units_1": "1", "reason": "broken"})) | {"do": "refund"}
    before = traces(db)
    answer = sam.post(url, data=form | changed)
    assert answer.status_code == 409
    assert "The amount has changed since it was shown." in answer.text
    assert traces(db) == before
    assert sam.post(url, data=hidden(answer) | {"do": "refund"}).status_code == 303


@pytest.mark.parametrize("missing", ["key", "expected", "do"])
def test_a_form_without_its_confirmation_is_asked_again(sam: FlaskClient, url: str, db: Database, missing: str) -> None:
    form = hidden(sam.post(url, data={"units_1": "1", "reason": "broken"})) | {"do": "refund"}
    answer = sam.post(url, data={name: value for name, value in form.items() if name != missing})
    assert (answer.status_code, heading(answer)) == (200, "Refund €10.00?")
    assert refunds(db) == []


def test_something_can_be_changed_before_it_is_confirmed(sam: FlaskClient, url: str, db: Database) -> None:
    form = hidden(sam.post(url, data={"units_1": "1", "reason": "broken"})) | {"do": "change"}
    answer = sam.post(url, data=form)
    assert (answer.status_code, heading(answer), refunds(db)) == (200, "Refund", [])
    assert re.findall(r'name="units_1".*? value="(.*?)"', answer.text) == ["1"]


@pytest.mark.parametrize(
    ("form", "status", "errors"),
    [
        ({"units_1": "4"}, 400, {"units_1": "Only 3 of Product mug can still be refunded."}),
        ({"units_1": "some"}, 400, {"units_1": "Write how many of Product mug, such as 1."}),
        ({"units_1": "-1"}, 400, {"units_1": "Write how many of Product mug, such as 1."}),
        ({"units_9": "1"}, 400, {}),
        ({}, 400, {}),
        ({"units_1": "1", "amount": "5"}, 400, {}),
        ({"units_1": "1", "reason": " "}, 400, {"reason": "Reason is missing."}),
        ({"amount": "5", "restock": "true"}, 400, {"restock": "Only units can return to the stock: say"}),
        ({"amount": "12,50"}, 400, {"amount": ""}),
        ({"amount": "0"}, 400, {"amount": ""}),
        ({"amount": "1.001"}, 400, {"amount": ""}),
        ({"amount": "60.41"}, 409, {"amount": "At most €60.40 can still be refunded."}),
    ],
)  # fmt: skip
def test_a_wrong_refund_moves_nothing(
    *, sam: FlaskClient, url: str, db: Database, form: dict[str, str], status: int, errors: dict[str, str]
) -> None:
    before = traces(db)
    answer = sam.post(url, data={"reason": "broken", **form, "do": "refund", "key": "k", "expected": "500"})
    assert answer.status_code == status
    found = field_errors(answer)
    assert found.keys() == errors.keys()
    assert all(found[name].startswith(text) for name, text in errors.items()), found
    assert 'class="message bad"' in answer.text
    assert traces(db) == before


@pytest.mark.parametrize("payment", ["not_required", "pending", "failed", "refunded"])
def test_an_order_without_money_is_not_refunded(sam: FlaskClient, url: str, db: Database, payment: str) -> None:
    form = hidden(sam.post(url, data={"units_1": "1", "reason": "broken"})) | {"do": "refund"}
    db.fetch_one("DELETE FROM payments RETURNING id")
    put(db, order_id(url), "placed", payment)
    before = traces(db)
    answer = sam.post(url, data=form)
    assert answer.status_code == 409
    assert "othing can be refunded of this order" in answer.text
    assert traces(db) == before


def test_a_key_that_is_none_is_refused(sam: FlaskClient, url: str, db: Database) -> None:
    form = hidden(sam.post(url, data={"units_1": "1", "reason": "broken"})) | {"do": "refund"}
    for wrong in ({"key": "a b"}, {"key": "é"}, {"expected": "many"}):
        assert sam.post(url, data=form | wrong).status_code == 400
    assert refunds(db) == []
