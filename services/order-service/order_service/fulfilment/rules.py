"""Refusals of what staff do with orders."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from chassis.problems import Conflict, InvalidRequest
from order_service.orders.states import OrderStatus, PaymentStatus


class CurrentState(BaseModel):
    status_of_order: OrderStatus
    payment_status: PaymentStatus


class MissingContact(BaseModel):
    missing: list[Literal["ship_to", "email"]]


class NotShippable(Conflict):
    code, extension = "not_shippable", CurrentState


class NotTrackable(Conflict):
    code, extension = "not_trackable", CurrentState


class NotDeliverable(Conflict):
    code, extension = "not_deliverable", CurrentState


class NotCancellable(Conflict):
    code, extension = "not_cancellable", CurrentState


class NotChangeable(Conflict):
    code, extension = "not_changeable", CurrentState


class ExportTooLarge(InvalidRequest):
    code = "export_too_large"


class CustomerErased(Conflict):
    code, error = "customer_erased", "the customer deleted the account: the order takes no email and no address"


class AddressNeeded(Conflict):
    code, extension = "address_needed", MissingContact

    def __init__(self, missing: list[str]) -> None:
        listed = " and ".join(f"`{member}`" for member in missing)
        error = f"the order has no {listed}: ask the customer, and set it with PATCH /admin/orders/<order_id>"
        super().__init__(error, missing=missing)


_UNPAID = {"pending": "it is not paid", "failed": "its payment failed", "refunded": "its payment was refunded"}
_ADVICE = {
    "ship": ": change its tracking with PUT /admin/orders/<order_id>/tracking",
    "track": ": ship it first",
    "deliver": ": ship it first",
}
_REFUSALS: dict[str, type[Conflict]] = {
    "ship": NotShippable,
    "track": NotTrackable,
    "deliver": NotDeliverable,
    "cancel": NotCancellable,
    "address": NotChangeable,
}


def refusal(action: str, status: str, payment_status: str) -> Conflict:
    """Return the Problem of an order whose state does not accept the action."""
    if action == "ship" and status == "placed":
        error = f"the order cannot be shipped: {_UNPAID[payment_status]}"
    else:
        advised = status in {"shipped", "delivered"} if action == "ship" else status == "placed"
        error = f"the order is {status}{_ADVICE.get(action, '') if advised else ' already'}"
    return _REFUSALS[action](error, status_of_order=status, payment_status=payment_status)
