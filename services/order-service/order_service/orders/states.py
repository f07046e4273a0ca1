"""The states of an order and of its payment, and the actions that each of them accepts.

The statements, the pages, the diagram in docs/orders.md and the test of every pair are taken from this table.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from typing_extensions import TypeAliasType

# Named enumerations in the OpenAPI document, instead of one for each use.
OrderStatus = TypeAliasType("OrderStatus", Literal["placed", "shipped", "delivered", "cancelled"])
PaymentStatus = TypeAliasType(
    "PaymentStatus", Literal["not_required", "pending", "failed", "paid", "partially_refunded", "refunded"]
)

UNPAID = ("pending", "failed")
"""The order waits for its payment; after "failed" the customer may try again."""
HOLDS_MONEY = ("paid", "partially_refunded")
ANY_PAYMENT = ("not_required", *UNPAID, *HOLDS_MONEY, "refunded")


class Action(NamedTuple):
    """Which orders an action accepts, and the status of the order afterwards; None leaves it."""

    statuses: tuple[str, ...]
    payments: tuple[str, ...]
    then: str | None = None

    def accepts(self, status: str, payment_status: str) -> bool:
        return status in self.statuses and payment_status in self.payments


ACTIONS = {
    "pay": Action(("placed",), UNPAID),
    "expire": Action(("placed",), UNPAID, then="cancelled"),
    "cancel": Action(("placed",), ANY_PAYMENT, then="cancelled"),
    "ship": Action(("placed",), ("not_required", *HOLDS_MONEY), then="shipped"),
    "track": Action(("shipped", "delivered"), ANY_PAYMENT),
    "deliver": Action(("shipped",), ANY_PAYMENT, then="delivered"),
    "refund": Action(("placed", "shipped", "delivered", "cancelled"), HOLDS_MONEY),
    "address": Action(("placed",), ANY_PAYMENT),
}
"""`pay` is the customer's; a payment that arrives for an order that no longer accepts it is refunded."""


def accepted(action: str) -> dict[str, list[str]]:
    """Return the states that an action accepts, as parameters of its statement."""
    return {"statuses": list(ACTIONS[action].statuses), "payments": list(ACTIONS[action].payments)}


ACCEPTS = "status = ANY (CAST(%(statuses)s AS text[])) AND payment_status = ANY (CAST(%(payments)s AS text[]))"
"""The condition of a statement on the parameters of `accepted`."""
