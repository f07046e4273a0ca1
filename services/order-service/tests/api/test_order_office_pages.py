"""The back office's pages of orders: find one, read its story, ship, cancel, change where it goes."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from order_states import ADDRESS, CONTACT, SAM, put, state, traces
from werkzeug.test import TestResponse

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser, field_errors, field_values, messages
from order_service.fulfilment import pages
from order_service.orders.queries import order_key
from order_service.orders.states import ACTIONS

ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")
ORDERS = "/backoffice/orders"
NASTY = '"><script>alert(1)</script>'
DHL = {"carrier": "DHL", "tracking_number": "00340", "tracking_url": "https://dhl.example/t?id=00340"}
REFUSED = "UPDATE orders SET email_refused_at = now() WHERE id = %(id)s RETURNING id"
CONTACT_OF = "SELECT ship_to, email FROM orders WHERE id = %(id)s"
FAILED = """
INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason, status, failure, finished_at)
SELECT order_id, id, 100, currency, 'requested', 'failed', 'card closed', now() FROM payments WHERE order_id = %(id)s
RETURNING id
"""


@pytest.fixture
def sam(app: Api) -> FlaskClient:
    """Return the browser of Sam, who is one of the staff."""
    return browser(app, SAM["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def order(client: FlaskClient, stock: Callable[..., None]) -> Callable[..., Any]:
    """Place an order of two mugs at 10.00 and return its document; the members are those of `POST /orders`."""
    stock(mug=100)

    def place(who: dict[str, str] = ALICE, **members: Any) -> Any:
        body = {"items": [{"product_id": "mug", "qty": 2}], **members}
        answer = client.post("/orders", json=body, headers=who)
        assert answer.status_code == 201, answer.text
        return answer.json

    return place


def numbers(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return re.findall(r'class="named"><a [^>]*>(.*?)</a>', answer.text)


def hidden(answer: TestResponse, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="(.*?)"', answer.text)
    assert found, name
    return html.unescape(found[1])


def problems(answer: TestResponse) -> list[str]:
    """Return what the summary says of the form as a whole."""
    return [html.unescape(text) for text in re.findall(r"<li>([^<]+)</li>", answer.text)]


def url(placed: dict[str, Any], path: str = "") -> str:
    return f"{ORDERS}/{placed['order_id']}{path}"


def run(db: Database, statement: str, placed: dict[str, Any]) -> Any:
    return db.fetch_one(statement, {"id": order_key(placed["order_id"])})


def test_one_box_finds_number_email_name_and_id(sam: FlaskClient, order: Callable[..., Any]) -> None:
    plain, ada = order(BOB), order(**CONTACT)
    number = plain["number"]
    for text in (number, number.lower().replace("-", " "), number.replace("0", "o")):
        assert numbers(sam.get(ORDERS, query_string={"q": text})) == [number]
    for text in ("ADA@example.org", "ada ex", ada["number"]):
        assert numbers(sam.get(ORDERS, query_string={"q": text})) == [ada["number"]]
    assert sam.get(ORDERS, query_string={"q": ada["order_id"]}).headers["Location"] == url(ada)
    assert numbers(sam.get(f"{ORDERS}?user_id=u-bob")) == [number]
    nothing = sam.get(f"{ORDERS}?q=nobody")
    assert (numbers(nothing), "No orders found" in nothing.text) == ([], True)


def test_a_name_that_could_be_a_number_is_found(sam: FlaskClient, order: Callable[..., Any]) -> None:
    anna = order(ship_to=ADDRESS | {"recipient": "Anna Karenina"})
    order()
    assert numbers(sam.get(f"{ORDERS}?q=Anna+Karenina")) == [anna["number"]]


def test_orders_are_filtered_by_state_payment_and_day(
    sam: FlaskClient, order: Callable[..., Any], db: Database
) -> None:
    old, sent, unpaid = order(), order(), order()
    put(db, sent["order_id"], "shipped", "paid")
    put(db, unpaid["order_id"], "placed", "failed")
    assert numbers(sam.get(f"{ORDERS}?status=shipped")) == [sent["number"]]
    assert numbers(sam.get(f"{ORDERS}?payment=failed&status=placed")) == [unpaid["number"]]
    today = db.fetch_one("SELECT (now() AT TIME ZONE 'UTC')::date AS day").day
    assert numbers(sam.get(f"{ORDERS}?since={today}&until={today}")) == [
        unpaid["number"], sent["number"], old["number"],
    ]  # fmt: skip
    assert numbers(sam.get(f"{ORDERS}?until=2020-01-01")) == []
    for wrong in (
        "status=perhaps",
        "payment=cash",
        "since=yesterday",
        "view=all",
        "after=nonsense",
        "until=9999-12-31",
    ):
        assert sam.get(f"{ORDERS}?{wrong}").status_code == 400, wrong


def test_views_list_what_waits_for_the_staff(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    free, paid, unpaid, refused, failed, done = (order() for _ in range(6))
    put(db, paid["order_id"], "placed", "paid")
    put(db, unpaid["order_id"], "placed", "pending")
    put(db, refused["order_id"], "shipped", "paid")
    put(db, failed["order_id"], "delivered", "paid")
    put(db, done["order_id"], "delivered", "paid")
    run(db, REFUSED, refused)
    run(db, REFUSED, done)
    run(db, FAILED, failed)
    assert numbers(sam.get(f"{ORDERS}?view=to-ship")) == [paid["number"], free["number"]]
    assert numbers(sam.get(f"{ORDERS}?view=unpaid")) == [unpaid["number"]]
    assert numbers(sam.get(f"{ORDERS}?view=mail-refused")) == [refused["number"]]
    assert numbers(sam.get(f"{ORDERS}?view=refund-failed")) == [failed["number"]]


def test_the_list_of_orders_goes_on_on_the_next_page(
    sam: FlaskClient, order: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE_SIZE", 2)
    placed = [order()["number"] for _ in range(3)]
    first = sam.get(f"{ORDERS}?status=placed")
    following = re.search(r'rel="next" href="(.*?)"', first.text)
    assert following
    second = sam.get(html.unescape(following[1]))
    assert (numbers(first), numbers(second)) == ([placed[2], placed[1]], [placed[0]])
    assert 'href="/backoffice/orders?status=placed">Back to the start' in second.text


def test_the_orders_of_some_days_are_downloaded(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    placed, today = order(), db.fetch_one("SELECT (now() AT TIME ZONE 'UTC')::date AS day").day
    page = sam.get(f"{ORDERS}?since={today}&until={today}&status=placed").text
    download = f"{ORDERS}.csv?since={today}&until={today}"
    assert html.escape(download) in page
    answer = sam.get(download)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="orders-{today}-{today}.csv"'
    header, line = answer.text.splitlines()
    assert header.startswith("number,order_id,placed_at,")
    assert line.startswith(f"{placed['number']},{placed['order_id']},")
    assert len(sam.get(f"{ORDERS}.csv").text.splitlines()) == 2
    assert len(sam.get(f"{ORDERS}.csv?until=2020-01-01").text.splitlines()) == 1
    assert sam.get(f"{ORDERS}.csv?since=yesterday").status_code == 400


def test_without_orders_the_list_says_so(sam: FlaskClient) -> None:
    assert "No orders yet" in sam.get(ORDERS).text


@pytest.mark.parametrize("path", ["", "/cancel", "/contact", "/refund"])
def test_an_order_that_is_none_is_not_found(sam: FlaskClient, path: str) -> None:
    for order_id in ("o-" + "0" * 32, "nothing"):
        assert sam.get(f"{ORDERS}/{order_id}{path}").status_code == 404
    for action in ("ship", "tracking", "deliver", "cancel", "contact", "refund"):
        assert sam.post(f"{ORDERS}/o-{'0' * 32}/{action}", data={"reason": "x"}).status_code == 404


def test_an_order_tells_its_whole_story(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    placed = order(ship_to=ADDRESS | {"recipient": NASTY}, email="ada@example.org")
    put(db, placed["order_id"], "shipped", "paid")
    run(db, REFUSED, placed)
    run(db, FAILED, placed)
    sam.post(url(placed, "/tracking"), data=DHL | {"tracking_number": NASTY})
    page = sam.get(url(placed)).text
    assert NASTY not in page
    assert re.findall(r"<h2 [^>]*>(.*?)</h2>", page) == [
        "What was ordered", "Payments", "Refunds", "Changed by staff", "Parcel", "Customer", "History",
    ]  # fmt: skip
    for text in (
        "2 × €10.00", "Refused by the mail server", "card closed", "€20.00 paid", "Refund of €1.00 failed",
        '<a href="/account/backoffice/customers/u-alice">alice</a>', "<strong>Tracking changed</strong>",
        "<del>Old</del>", 'href="https://dhl.example/t?id=00340"',
    ):  # fmt: skip
        assert text in page, text


@pytest.mark.parametrize("status", ["placed", "shipped", "delivered", "cancelled"])
@pytest.mark.parametrize("payment", ["not_required", "pending", "failed", "paid", "partially_refunded", "refunded"])
def test_an_order_offers_what_its_state_accepts(
    sam: FlaskClient, order: Callable[..., Any], db: Database, status: str, payment: str
) -> None:
    placed = order(**CONTACT)
    put(db, placed["order_id"], status, payment)
    page = sam.get(url(placed)).text
    offered = {
        "ship": f'action="{url(placed)}/ship"', "track": f'action="{url(placed)}/tracking"',
        "deliver": f'action="{url(placed)}/deliver"', "cancel": f'href="{url(placed)}/cancel"',
        "address": f'href="{url(placed)}/contact"', "refund": f'href="{url(placed)}/refund"',
    }  # fmt: skip
    accepted = {name for name in offered if ACTIONS[name].accepts(status, payment)}
    assert {name for name, text in offered.items() if text in page} == accepted


def test_an_order_is_shipped_tracked_and_delivered(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    placed = order(**CONTACT)
    for action, form, done, says in (
        ("ship", DHL, "shipped", "Shipped."),
        ("tracking", DHL | {"carrier": "UPS"}, "tracked", "The tracking is changed."),
        ("deliver", {}, "delivered", "Delivered."),
    ):
        answer = sam.post(url(placed, f"/{action}"), data=form)
        assert answer.headers["Location"] == url(placed, f"?done={done}")
        assert messages(sam.get(answer.headers["Location"])) == [says]
        before = traces(db)
        assert sam.post(url(placed, f"/{action}"), data=form).status_code == 303
        assert traces(db) == before
    assert state(db, placed["order_id"]) == ("delivered", "not_required")


def test_a_wrong_tracking_page_stands_beside_its_field(
    sam: FlaskClient, order: Callable[..., Any], db: Database
) -> None:
    placed = order(**CONTACT)
    before = traces(db)
    answer = sam.post(url(placed, "/ship"), data=DHL | {"tracking_url": "http://dhl.example"})
    assert (answer.status_code, [*field_errors(answer)]) == (400, ["tracking_url"])
    assert field_values(answer)["carrier"] == "DHL"
    assert traces(db) == before


def test_an_order_without_address_asks_for_one_first(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    placed = order()
    assert "It has no address and no email address, and cannot be shipped." in sam.get(url(placed)).text
    answer = sam.post(url(placed, "/ship"), data=DHL)
    assert answer.status_code == 409
    assert problems(answer) == ["It cannot be shipped without an address and an email address. Add them first."]
    assert state(db, placed["order_id"])[0] == "placed"


def test_a_step_that_is_refused_shows_the_order_anew(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    placed = order(**CONTACT)
    put(db, placed["order_id"], "cancelled")
    before = traces(db)
    for action, form in (
        ("ship", DHL),
        ("tracking", DHL),
        ("deliver", {}),
        ("contact", {**ADDRESS, "email": "a@b.ch"}),
    ):
        answer = sam.post(url(placed, f"/{action}"), data=form)
        assert answer.status_code == 409, action
        assert problems(answer) == ["This order has changed since you opened it. Look at it again."]
    assert traces(db) == before


def test_an_order_is_cancelled_once_with_its_refund(
    sam: FlaskClient, order: Callable[..., Any], db: Database, left: Callable[[str], int]
) -> None:
    placed = order(**CONTACT)
    put(db, placed["order_id"], "placed", "paid")
    asked = sam.get(url(placed, "/cancel"))
    assert "<strong>€20.00 is refunded.</strong>" in asked.text
    form = {"reason": "sold out", "refundable": hidden(asked, "refundable")}
    for _ in range(2):
        answer = sam.post(url(placed, "/cancel"), data=form)
        assert answer.headers["Location"] == url(placed, "?done=cancelled")
    assert (state(db, placed["order_id"]), left("mug")) == (("cancelled", "refunded"), 100)
    entries = db.fetch_all("SELECT after ->> 'reason' FROM audit_entries WHERE action = 'order.cancel'")
    assert (traces(db)["refunds"], [*map(tuple, entries)]) == (1, [("sold out",)])
    page = sam.get(url(placed)).text
    assert "sold out" in page
    assert "Refund of €20.00 requested" in page
    assert sam.get(url(placed, "/cancel")).headers["Location"] == url(placed)


def test_a_cancellation_for_another_refund_is_asked_again(
    sam: FlaskClient, order: Callable[..., Any], db: Database
) -> None:
    placed = order(**CONTACT)
    put(db, placed["order_id"], "placed", "pending")
    form = {"reason": "sold out", "refundable": hidden(sam.get(url(placed, "/cancel")), "refundable")}
    put(db, placed["order_id"], "placed", "paid")
    before = traces(db)
    answer = sam.post(url(placed, "/cancel"), data=form)
    assert answer.status_code == 409
    assert "Cancel it and refund €20.00" in answer.text
    missing = sam.post(url(placed, "/cancel"), data=form | {"reason": " ", "refundable": "20.0"})
    assert (missing.status_code, field_errors(missing)) == (400, {"reason": "Reason is missing."})
    assert traces(db) == before


def test_address_and_email_are_changed(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    placed = order(**CONTACT)
    run(db, REFUSED, placed)
    form = field_values(sam.get(url(placed, "/contact"))) | {"country": "DE"}
    assert (form["recipient"], form["email"]) == ("Ada Example", "ada@example.org")
    answer = sam.post(url(placed, "/contact"), data=form | {"email": "new@example.org", "city": "Bonn"})
    assert answer.headers["Location"] == url(placed, "?done=changed")
    assert tuple(run(db, CONTACT_OF, placed)) == (ADDRESS | {"city": "Bonn"}, "new@example.org")
    page = sam.get(answer.headers["Location"]).text
    assert "Refused by the mail server" not in page
    assert "Address or email changed" in page


def test_an_email_alone_can_be_added(sam: FlaskClient, order: Callable[..., Any], db: Database) -> None:
    placed = order()
    blank = dict.fromkeys(field_values(sam.get(url(placed, "/contact"))), "")
    assert sam.post(url(placed, "/contact"), data=blank | {"email": "a@example.org"}).status_code == 303
    assert tuple(run(db, CONTACT_OF, placed)) == (None, "a@example.org")


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        ({"email": "nobody"}, ["email"]),
        ({"email": ""}, ["email"]),
        ({"street": "", "country": "ZZ"}, ["street", "country"]),
        (dict.fromkeys(ADDRESS, ""), ["street", "city", "country"]),
    ],
)
def test_a_wrong_address_changes_nothing(
    sam: FlaskClient, order: Callable[..., Any], db: Database, changed: dict[str, str], errors: list[str]
) -> None:
    placed = order(**CONTACT)
    answer = sam.post(url(placed, "/contact"), data={**ADDRESS, "email": "ada@example.org", **changed})
    assert (answer.status_code, sorted(field_errors(answer))) == (400, sorted(errors))
    assert tuple(run(db, CONTACT_OF, placed)) == (ADDRESS, "ada@example.org")


@pytest.mark.parametrize(("path", "expected"), [(ORDERS, 1), (f"{ORDERS}?q=Ada", 1), ("", 2), ("/refund", 1)])
def test_a_page_of_orders_runs_few_statements(
    *, sam: FlaskClient, order: Callable[..., Any], db: Database, count_statements: Callable[..., Any],
    path: str, expected: int
) -> None:  # fmt: skip
    placed = order(**CONTACT)
    put(db, placed["order_id"], "placed", "paid")
    page = path if path.startswith(ORDERS) else url(placed, path)
    assert sam.get(page).status_code == 200
    with count_statements(db) as statements:
        assert sam.get(page).status_code == 200
    assert len(statements) == expected
