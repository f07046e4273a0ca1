"""Every action on every state of an order does what the table in orders/states.py says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import pytest
from flask.testing import FlaskClient
from order_states import CONTACT, SAM, books, put, state, traces

from chassis.context import Caller
from chassis.db.database import Database
from chassis.problems import Conflict
from chassis.testing.http import bearer
from order_service.fulfilment import actions
from order_service.orders import states
from order_service.orders.actions import cancel_order
from order_service.refunds.actions import Wanted, request_refund

ALICE = bearer("u-alice", "alice")
STAFF = Caller("u-sam", "sam", "s-1", ("staff",))
NEW = {"carrier": "DHL", "tracking_number": "1", "tracking_url": None}
CENT = Wanted(lines=None, shipping=False, amount=0.01, restock=False, reason="x")

# What runs each action: (name in the table, who) -> a function of database and order.
RUN: dict[tuple[str, str], Callable[[Database, str], Any]] = {
    ("ship", "staff"): lambda db, order_id: actions.ship(db, staff=STAFF, order_id=order_id, **NEW),  # type: ignore[arg-type]
    ("track", "staff"): lambda db, order_id: actions.track(db, staff=STAFF, order_id=order_id, **NEW),  # type: ignore[arg-type]
    ("deliver", "staff"): lambda db, order_id: actions.deliver(db, staff=STAFF, order_id=order_id),
    ("cancel", "staff"): lambda db, order_id: actions.cancel(db, staff=STAFF, order_id=order_id, reason="x"),
    ("cancel", "customer"): lambda db, order_id: cancel_order(db, buyer_id="u-alice", order_id=order_id),
    ("address", "staff"): lambda db, order_id: actions.change_contact(
        db, staff=STAFF, order_id=order_id, changes={"email": "new@example.org"}
    ),
    ("refund", "staff"): lambda db, order_id: request_refund(
        db, staff=STAFF, order_id=order_id, wanted=CENT, idempotency_key="k"
    ),
}
ELSEWHERE = {"pay", "expire"}
"""Actions of the slice `payments`, which its own tests run."""
EVENTS = {"ship": "order.shipped", "deliver": "order.delivered", "cancel": "order.cancelled"}
STATUSES, PAYMENTS = get_args(states.OrderStatus.__value__), get_args(states.PaymentStatus.__value__)
ENDED = {"pending": "failed", "failed": "failed", "paid": "refunded", "partially_refunded": "refunded"}


def test_every_action_of_the_table_is_run() -> None:
    assert {action for action, _ in RUN} | ELSEWHERE == states.ACTIONS.keys()


@pytest.fixture
def order_in(client: FlaskClient, stock: Callable[..., None], db: Database) -> Callable[[str, str], str]:
    stock(mug=1000)

    def make(status: str, payment: str) -> str:
        body = {"items": [{"product_id": "mug", "qty": 1}], **CONTACT}
        order_id = str(client.post("/orders", json=body, headers=ALICE).json["order_id"])  # type: ignore[index]
        put(db, order_id, status, payment)
        return order_id

    return make


def expected(action: str, status: str, payment: str) -> tuple[str, str]:
    """Return the state after an action that was accepted."""
    after = {"cancel": ENDED.get(payment, payment), "refund": "partially_refunded"}.get(action, payment)
    return states.ACTIONS[action].then or status, after


PAIRS = [pytest.param(name, status, id=f"{'-'.join(name)}-{status}") for name, status in product(RUN, STATUSES)]


@pytest.mark.parametrize(("name", "status"), PAIRS)
def test_action_is_accepted_exactly_where_the_table_says(
    order_in: Callable[[str, str], str], db: Database, name: tuple[str, str], status: str
) -> None:
    action = name[0]
    for payment in PAYMENTS:
        order_id = order_in(status, payment)
        before = traces(db)
        if states.ACTIONS[action].accepts(status, payment):
            RUN[name](db, order_id)
            assert state(db, order_id) == expected(action, status, payment)
            new = db.fetch_one("SELECT type FROM order_events ORDER BY id DESC LIMIT 1").type
            assert new == EVENTS.get(action, "order.placed")
            assert traces(db)["audit_entries"] - before["audit_entries"] == (name[1] == "staff")
        else:
            refused(db, name, order_id, (status, payment))
            assert (state(db, order_id), traces(db)) == ((status, payment), before)


def refused(db: Database, name: tuple[str, str], order_id: str, at: tuple[str, str]) -> None:
    if name[0] == "deliver" and at[0] == "delivered":
        RUN[name](db, order_id)  # the same request again is answered with the order
        return
    with pytest.raises(Conflict) as problem:
        RUN[name](db, order_id)
    assert problem.value.members["status_of_order"] == at[0]
    if name[1] == "staff":
        assert problem.value.members["payment_status"] == at[1]


def test_no_state_is_left_out_of_the_table() -> None:
    accepted = {status for action in states.ACTIONS.values() for status in action.statuses}
    assert accepted == set(STATUSES)
    assert set(states.ANY_PAYMENT) == set(PAYMENTS)


def test_staff_see_every_state(order_in: Callable[[str, str], str], client: FlaskClient) -> None:
    made = {order_in(status, payment): [status, payment] for status, payment in product(STATUSES, PAYMENTS)}
    shown = client.get("/admin/orders?limit=100", headers=SAM).json
    assert {order["order_id"]: [order["status"], order["payment"]["status"]] for order in shown} == made  # type: ignore[union-attr]


def test_books_add_up_after_a_refund_and_a_cancellation(order_in: Callable[[str, str], str], db: Database) -> None:
    order_id = order_in("placed", "paid")
    RUN["refund", "staff"](db, order_id)
    RUN["cancel", "staff"](db, order_id)
    books(db)
