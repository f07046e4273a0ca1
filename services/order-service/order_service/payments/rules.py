"""What a provider's word means for an order, and the Problems of paying."""

from __future__ import annotations

from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel

from chassis.problems import Conflict, InvalidRequest, Unavailable
from order_service.orders.states import ACTIONS
from order_service.payments.provider import State

OPEN = ("opening", "open")
"""The statuses of a payment whose page may still be paid on."""

Outcome = Literal["accepted", "late", "duplicate", "mismatch", "incomplete", "failed", "expired", "unchanged"]
REFUNDED_WHOLE = ("late", "duplicate", "mismatch")
"""The outcomes of a payment that was not accepted, which are the reasons of its refund."""


class Waiting(BaseModel):
    status_of_order: str
    payment_status: str


class NotPayable(Conflict):
    code, error, extension = "not_payable", "the order does not wait for a payment", Waiting


class PaymentUnavailable(Unavailable):
    code, error = "payment_unavailable", "paying is not possible at the moment, try again"


class InvalidSignature(InvalidRequest):
    code, error = "invalid_signature", "the event is not signed by the provider, or is too old"


class Locked(NamedTuple):
    """A payment and its order, locked."""

    status: str
    amount_minor: int
    currency: str
    order_status: str
    payment_status: str


def outcome(locked: Locked, state: State) -> Outcome:
    """Return what the provider's word changes. A paid page counts whatever was said of it before."""
    if state.status == "open" or locked.status == "paid":
        return "unchanged"
    if state.status != "paid":
        return state.status if locked.status in OPEN else "unchanged"
    if state.amount_minor is None or state.currency is None:
        return "incomplete"
    if (state.amount_minor, state.currency) != (locked.amount_minor, locked.currency):
        return "mismatch"
    if ACTIONS["pay"].accepts(locked.order_status, locked.payment_status):
        return "accepted"
    return "late" if locked.order_status == "cancelled" else "duplicate"


def order_path(order_id: UUID) -> str:
    """Return the path of the order's page, to which the browser returns from the payment page."""
    return f"/shop/orders/o-{order_id.hex}"


def return_url(public_url: str, order_id: UUID) -> str:
    """Return the value of `Payment.return_url`: one for an order, because a repeated call must be the same."""
    return public_url.rstrip("/") + order_path(order_id)
