"""What staff do with orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from order_states import ADDRESS, CONTACT, SAM, put, traces

from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.orders.queries import order_key

ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")
DHL = {"carrier": "DHL", "tracking_number": "00340", "tracking_url": "https://dhl.example/t?id=00340"}


@pytest.fixture
def staff(client: FlaskClient) -> Callable[..., Any]:
    """Send a request of the staff member Sam."""

    def send(method: str, path: str, body: Any = None, **query: Any) -> Any:
        return client.open(f"/admin/orders{path}", method=method, json=body, headers=SAM, query_string=query)

    return send


@pytest.fixture
def order(client: FlaskClient, stock: Callable[..., None]) -> Callable[..., Any]:
    """Place an order of one mug for 10.00 and return its document; the members are those of `POST /orders`."""
    stock(mug=100)

    def place(who: dict[str, str] = ALICE, **members: Any) -> Any:
        body = {"items": [{"product_id": "mug", "qty": 1}], **members}
        answer = client.post("/orders", json=body, headers=who)
        assert answer.status_code == 201, answer.text
        return answer.json

    return place


def numbers(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [order["number"] for order in answer.json]


def audit(db: Database) -> list[Any]:
    return list(
        db.fetch_all(
            "SELECT staff_name, action, subject, before, after FROM audit_entries WHERE staff_name = 'sam' ORDER BY id"
        )
    )


def events(db: Database) -> list[str]:
    return [row.type for row in db.fetch_all("SELECT type FROM order_events ORDER BY id")]


def test_staff_see_the_whole_order(staff: Callable[..., Any], order: Callable[..., Any], db: Database) -> None:
    placed = order(**CONTACT)
    put(db, placed["order_id"], "placed", "paid")
    shown = staff("GET", f"/{placed['order_id']}").json
    assert shown == staff("GET", "").json[0]
    assert {name: shown[name] for name in placed if name != "payment"} == {
        name: placed[name] for name in placed if name != "payment"
    }
    (payment,) = shown.pop("payments")
    assert (payment["amount"], payment["paid"], payment["status"], payment["accepted"]) == (10.0, 10.0, "paid", True)
    assert {name: shown[name] for name in ("user_id", "email_refused_at", "lines", "refundable", "refunds")} == {
        "user_id": "u-alice",
        "email_refused_at": None,
        "lines": [{"line": 1, "product_id": "mug", "name": "Product mug", "qty": 1, "refunded_qty": 0, "total": 10.0}],
        "refundable": {"amount": 10.0, "shipping": 0.0},
        "refunds": [],
    }


def test_number_is_found_in_any_spelling(staff: Callable[..., Any], order: Callable[..., Any], db: Database) -> None:
    placed = order()
    order()
    as_uuid = "01890a5d-ac96-774b-8010-041088ac0421"
    db.fetch_one(
        "WITH c AS (INSERT INTO orders (id, buyer_id, status, currency, total_minor, placed_at, history)"
        " VALUES (%(id)s, 'u-x', 'placed', 'EUR', 0, now(), '[]') RETURNING id) SELECT order_number(id) FROM c",
        {"id": as_uuid},
    )
    number = db.fetch_one("SELECT order_number(%(id)s) AS number", {"id": as_uuid}).number
    assert {"0", "1"} <= set(number)
    for spelling in (number, number.lower(), number.replace("-", ""), number.replace("-", " "),
                     number.replace("0", "O"), number.replace("0", "o").replace("1", "l"), number.replace("1", "I"),
                     number.replace("-", "\u2013")):  # fmt: skip
        assert numbers(staff("GET", "", number=spelling)) == [number]
    assert numbers(staff("GET", "", number=placed["number"])) == [placed["number"]]


@pytest.mark.parametrize("number", ["7K2M-9QDX-41TB", "7K2M", "hello", "7K2M-9QDX-41TU", "7K2M-9QDX-41TB-", "%", "é"])
def test_unknown_number_is_an_empty_list(staff: Callable[..., Any], order: Callable[..., Any], number: str) -> None:
    order()
    assert numbers(staff("GET", "", number=number)) == []


def test_orders_are_found_by_customer_and_state(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database
) -> None:
    plain, ada, bobs = order(), order(**CONTACT), order(BOB, ship_to=ADDRESS | {"recipient": "ÉMILE 100%"})
    put(db, ada["order_id"], "shipped", "paid")
    found = {
        ("email", "ADA@example.ORG"): [ada],
        ("email", "ada@example"): [],
        ("name", "ada E"): [ada],
        ("name", "Ada Example"): [ada],
        ("name", "Example"): [],
        ("name", "%"): [],
        ("name", "Émile 100%"): [bobs],
        ("name", "_"): [],
        ("user_id", "u-bob"): [bobs],
        ("user_id", "u-nobody"): [],
        ("status", "shipped"): [ada],
        ("status", "placed"): [bobs, plain],
        ("payment", "paid"): [ada],
        ("payment", "not_required"): [bobs, plain],
    }
    for (name, value), expected in found.items():
        assert numbers(staff("GET", "", **{name: value})) == [o["number"] for o in expected], (name, value)
    assert numbers(staff("GET", "", status="placed", name="ada")) == []


def test_orders_are_found_by_their_time(staff: Callable[..., Any], order: Callable[..., Any]) -> None:
    first, second, third = (order() for _ in range(3))
    since, until = second["placed_at"], third["placed_at"]
    assert numbers(staff("GET", "", since=since, until=until)) == [second["number"]]
    assert numbers(staff("GET", "", until=since)) == [first["number"]]
    assert numbers(staff("GET", "", since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59Z")) == [
        o["number"] for o in (third, second, first)
    ]


def test_pages_follow_their_links_newest_first(
    client: FlaskClient, staff: Callable[..., Any], order: Callable[..., Any]
) -> None:
    placed = [order()["number"] for _ in range(5)]
    answer, found = staff("GET", "", limit=2, status="placed"), []
    while True:
        found.append(numbers(answer))
        if "Link" not in answer.headers:
            break
        answer = client.get(answer.headers["Link"].partition(">")[0][1:], headers=SAM)
    assert found == [placed[:2:-1], placed[2:0:-1], placed[:1]]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "lost"}, {"payment": "maybe"}, {"since": "yesterday"}, {"since": "2026-11-27T08:00:00"},
        {"limit": "0"}, {"limit": "101"}, {"after": "x"}, {"after": "WzFd"}, {"number": "1" * 61},
        {"email": "\x00"}, {"name": "a\u202e"}, {"colour": "red"}, {"until": "10000-01-01T00:00:00Z"},
    ],
)  # fmt: skip
def test_bad_query_is_refused(staff: Callable[..., Any], query: dict[str, str]) -> None:
    assert (staff("GET", "", **query).status_code, staff("GET", "", **query).json["code"]) == (400, "invalid_request")


def test_shipped_order_has_tracking_event_history_and_audit(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database
) -> None:
    order_id = order(**CONTACT)["order_id"]
    shipped = staff("POST", f"/{order_id}/ship", DHL).json
    shipped_at = shipped["shipment"].pop("shipped_at")
    assert (shipped["status"], shipped["shipment"]) == ("shipped", DHL)
    assert shipped["history"][1:] == [{"status": "shipped", "at": shipped_at}]
    assert events(db) == ["order.placed", "order.shipped"]
    assert audit(db) == [("sam", "order.ship", order_id, {"status": "placed"}, {"status": "shipped", **DHL})]


def test_order_is_shipped_without_any_tracking(staff: Callable[..., Any], order: Callable[..., Any]) -> None:
    order_id = order(**CONTACT)["order_id"]
    shipment = staff("POST", f"/{order_id}/ship", {}).json["shipment"]
    assert {**shipment, "shipped_at": ""} == dict.fromkeys(DHL) | {"shipped_at": ""}


def test_the_same_shipment_again_changes_nothing(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database
) -> None:
    order_id = order(**CONTACT)["order_id"]
    first = staff("POST", f"/{order_id}/ship", DHL).json
    before = traces(db)
    again = staff("POST", f"/{order_id}/ship", DHL)
    assert (again.status_code, again.json, traces(db)) == (200, first, before)
    other = staff("POST", f"/{order_id}/ship", DHL | {"carrier": "UPS"})
    assert (other.status_code, other.json["code"], traces(db)) == (409, "not_shippable", before)
    assert other.json["error"] == (
        "the order is shipped: change its tracking with PUT /admin/orders/<order_id>/tracking"
    )
    assert (other.json["status_of_order"], other.json["payment_status"]) == ("shipped", "not_required")


@pytest.mark.parametrize(
    ("contact", "missing"),
    [({}, ["ship_to", "email"]), ({"ship_to": ADDRESS}, ["email"]), ({"email": "a@example.org"}, ["ship_to"])],
)
def test_order_without_address_or_email_is_shipped_once_it_has_one(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database, contact: dict[str, Any], missing: list[str]
) -> None:
    order_id = order(**contact)["order_id"]
    before = traces(db)
    refused = staff("POST", f"/{order_id}/ship", DHL)
    assert (refused.status_code, refused.json["code"], refused.json["missing"]) == (409, "address_needed", missing)
    assert "PATCH /admin/orders/<order_id>" in refused.json["error"]
    assert traces(db) == before
    changed = staff("PATCH", f"/{order_id}", {name: CONTACT[name] for name in missing})
    assert changed.status_code == 200, changed.text
    assert staff("POST", f"/{order_id}/ship", DHL).json["status"] == "shipped"


def test_unpaid_order_says_why_it_is_not_shipped(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database
) -> None:
    order_id = order()["order_id"]
    put(db, order_id, "placed", "pending")
    refused = staff("POST", f"/{order_id}/ship", DHL)
    assert (refused.status_code, refused.json["error"]) == (409, "the order cannot be shipped: it is not paid")
    assert (refused.json["status_of_order"], refused.json["payment_status"]) == ("placed", "pending")


def test_tracking_is_replaced_until_after_delivery(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database
) -> None:
    order_id = order(**CONTACT)["order_id"]
    shipped = staff("POST", f"/{order_id}/ship", DHL).json
    ups = {"carrier": "UPS", "tracking_number": None, "tracking_url": None}
    tracked = staff("PUT", f"/{order_id}/tracking", {"carrier": "UPS"}).json
    assert tracked["shipment"] == ups | {"shipped_at": shipped["shipment"]["shipped_at"]}
    assert audit(db)[1:] == [("sam", "order.track", order_id, DHL, ups)]
    before = traces(db)
    assert staff("PUT", f"/{order_id}/tracking", {"carrier": "UPS"}).json == tracked
    assert traces(db) == before
    staff("POST", f"/{order_id}/deliver")
    assert staff("PUT", f"/{order_id}/tracking", DHL).json["shipment"]["carrier"] == "DHL"


def test_delivered_order_has_event_history_and_audit_once(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database
) -> None:
    order_id = order(**CONTACT)["order_id"]
    staff("POST", f"/{order_id}/ship", DHL)
    delivered = staff("POST", f"/{order_id}/deliver").json
    assert [change["status"] for change in delivered["history"]] == ["placed", "shipped", "delivered"]
    assert events(db) == ["order.placed", "order.shipped", "order.delivered"]
    assert audit(db)[1:] == [("sam", "order.deliver", order_id, {"status": "shipped"}, {"status": "delivered"})]
    before = traces(db)
    assert staff("POST", f"/{order_id}/deliver").json == delivered
    assert traces(db) == before


def test_cancelled_order_returns_stock_and_notes_the_reason(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database, left: Callable[[str], int]
) -> None:
    order_id = order(**CONTACT)["order_id"]
    put(db, order_id, "placed", "paid")
    cancelled = staff("POST", f"/{order_id}/cancel", {"reason": "sold twice"}).json
    assert (cancelled["status"], cancelled["payment"]["status"], left("mug")) == ("cancelled", "refunded", 100)
    (refund,) = cancelled["refunds"]
    assert (refund["amount"], refund["reason"], refund["status"], refund["lines"]) == (
        10.0,
        "cancelled",
        "pending",
        None,
    )
    assert audit(db) == [
        ("sam", "order.cancel", order_id, {"status": "placed"}, {"status": "cancelled", "reason": "sold twice"})
    ]
    again = staff("POST", f"/{order_id}/cancel", {"reason": "again"})
    assert (again.status_code, again.json["error"]) == (409, "the order is cancelled already")


def test_contact_is_changed_and_noted(staff: Callable[..., Any], order: Callable[..., Any], db: Database) -> None:
    order_id = order(**CONTACT)["order_id"]
    db.fetch_one("UPDATE orders SET email_refused_at = now() RETURNING 1")
    moved = ADDRESS | {"street": "Side Street 2"}
    changed = staff("PATCH", f"/{order_id}", {"ship_to": moved}).json
    assert (changed["ship_to"], changed["email"], changed["email_refused_at"] is None) == (
        moved, "ada@example.org", False
    )  # fmt: skip
    assert audit(db) == [("sam", "order.change", order_id, CONTACT, CONTACT | {"ship_to": moved})]
    changed = staff("PATCH", f"/{order_id}", {"email": "new@example.org"}).json
    assert (changed["email"], changed["email_refused_at"]) == ("new@example.org", None)
    before = traces(db)
    assert staff("PATCH", f"/{order_id}", {"email": "new@example.org"}).json == changed
    assert staff("PATCH", f"/{order_id}", {}).json == changed
    assert traces(db) == before


def test_order_of_a_deleted_account_takes_no_address(
    staff: Callable[..., Any], order: Callable[..., Any], db: Database
) -> None:
    order_id = order()["order_id"]
    db.fetch_one("INSERT INTO erased_buyers (buyer_id, erased_at) VALUES ('u-alice', now()) RETURNING 1")
    refused = staff("PATCH", f"/{order_id}", CONTACT)
    assert (refused.status_code, refused.json["code"]) == (409, "customer_erased")
    assert staff("GET", f"/{order_id}").json["ship_to"] is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/ship", {"tracking_url": "http://dhl.example/1"}),
        ("POST", "/ship", {"tracking_url": "javascript:alert(1)"}),
        ("POST", "/ship", {"tracking_url": "https://"}),
        ("POST", "/ship", {"tracking_url": "https://a b"}),
        ("POST", "/ship", {"tracking_url": "https://user@dhl.example/"}),
        ("POST", "/ship", {"tracking_url": "https://[x"}),
        ("POST", "/ship", {"tracking_url": "https://dhl.example:99999/"}),
        ("POST", "/ship", {"carrier": "a\x00b"}),
        ("POST", "/ship", {"carrier": "x" * 101}),
        ("POST", "/ship", {"carrier": 1}),
        ("POST", "/ship", {"colour": "red"}),
        ("POST", "/ship", []),
        ("PUT", "/tracking", {"tracking_number": "\u202e1"}),
        ("POST", "/cancel", {}),
        ("POST", "/cancel", {"reason": " "}),
        ("PATCH", "", {"ship_to": None}),
        ("PATCH", "", {"email": None}),
        ("PATCH", "", {"email": ""}),
        ("PATCH", "", {"email": "nobody"}),
        ("PATCH", "", {"ship_to": ADDRESS | {"country": "XX"}}),
        ("PATCH", "", {"status": "shipped"}),
    ],
)
def test_bad_body_is_refused_and_changes_nothing(
    *, staff: Callable[..., Any], order: Callable[..., Any], db: Database, method: str, path: str, body: Any
) -> None:
    order_id = order(**CONTACT)["order_id"]
    before = staff("GET", f"/{order_id}").json, traces(db)
    answer = staff(method, f"/{order_id}{path}", body)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request"), answer.text
    assert (staff("GET", f"/{order_id}").json, traces(db)) == before


@pytest.mark.parametrize("order_id", ["o-" + "0" * 32, "o-1", "x", "%00", "'"])
def test_unknown_order_is_404(staff: Callable[..., Any], order_id: str) -> None:
    bodies = [("GET", "", None), ("PATCH", "", {"email": "a@example.org"}), ("POST", "/ship", {}),
              ("PUT", "/tracking", {}), ("POST", "/deliver", None), ("POST", "/cancel", {"reason": "x"})]  # fmt: skip
    assert {staff(method, f"/{order_id}{path}", body).status_code for method, path, body in bodies} == {404}


def test_order_key_is_shown_as_public_id(staff: Callable[..., Any], order: Callable[..., Any]) -> None:
    order_id = order()["order_id"]
    assert order_key(staff("GET", f"/{order_id}").json["order_id"]) == order_key(order_id)
