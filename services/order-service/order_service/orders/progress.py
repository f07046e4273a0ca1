"""Where an order stands, in words for its customer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from order_service.orders.states import ACTIONS


class Progress(NamedTuple):
    """A word or two for lists, the heading of the order's page, and whether the customer may pay now."""

    short: str
    title: str
    is_over: bool = False
    may_pay: bool = False
    in_time: bool = True


_PLACED = {
    "not_required": ("Placed", "We are preparing your order"),
    "pending": ("Not paid yet", "This order is not paid yet"),
    "failed": ("Payment declined", "Your payment was declined"),
    "paid": ("Paid", "We are preparing your order"),
    "partially_refunded": ("Paid", "We are preparing your order"),
    "refunded": ("Refunded", "This order is refunded"),
}
_LATER = {
    "shipped": ("Shipped", "Your order is on its way"),
    "delivered": ("Delivered", "Your order has arrived"),
    "cancelled": ("Cancelled", "This order is cancelled"),
}


def progress(order: dict[str, Any]) -> Progress:
    """Return where the order of a document stands now."""
    status, payment = order["status"], order["payment"]
    if status != "placed":
        return Progress(*_LATER[status], is_over=status == "cancelled")
    waits = ACTIONS["pay"].accepts(status, payment["status"])
    in_time = not waits or datetime.fromisoformat(payment["pay_until"]) > datetime.now(UTC)
    if not in_time:
        return Progress("Not paid", "The time to pay is over", in_time=False)
    return Progress(*_PLACED[payment["status"]], is_over=payment["status"] == "refunded", may_pay=waits)
