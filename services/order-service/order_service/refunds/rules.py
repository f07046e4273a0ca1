"""What can be refunded of an order, and the Problems that refuse it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import BaseModel

from chassis.currencies import decimals
from chassis.problems import Conflict, InvalidRequest
from order_service import money
from order_service.money import Money
from order_service.orders.sold import SHIPPING
from order_service.orders.states import OrderStatus, PaymentStatus
from order_service.refusals import KeyReused

__all__ = ["KeyReused"]


class CurrentState(BaseModel):
    status_of_order: OrderStatus
    payment_status: PaymentStatus


class Rest(BaseModel):
    refundable: Money


class LineLeft(BaseModel):
    line: int
    product_id: str
    left: int


class NotRefundable(Conflict):
    code, extension = "not_refundable", CurrentState


class RefundTooLarge(Conflict):
    code, extension = "refund_too_large", Rest


class TooManyUnits(Conflict):
    code, extension = "too_many_units", LineLeft


class ShippingRefunded(Conflict):
    code, error = "shipping_refunded", "the shipping was refunded before: leave `shipping` out"


class NothingToRefund(Conflict):
    code, error = "nothing_to_refund", "the customer paid nothing for this: there is no money to return"


class AmountChanged(Conflict):
    code, error = "amount_changed", "this would refund another amount than the one that was confirmed"


class NotRetriable(Conflict):
    code = "refund_not_retriable"


class BadRefund(InvalidRequest):
    """A member of the request does not fit the order."""

    def __init__(self, member: str, error: str) -> None:
        super().__init__(f"{member}: {error}", errors=[{"member": member, "code": "refund", "message": error}])


class Line(NamedTuple):
    """A line of the order; `total` is of all its units, tax included, in the currency's smallest unit."""

    line: int
    product_id: str
    qty: int
    refunded_qty: int
    total: int


class Sold(NamedTuple):
    """An order of which something is refunded."""

    status: str
    payment_status: str
    currency: str
    rest: int
    shipping: int
    shipping_is_refunded: bool


class Refund(NamedTuple):
    """What a refund returns; `units` by line, with SHIPPING for the shipping; None when it is an amount."""

    amount: int
    units: dict[int, int] | None


def part(total: int, units: int, qty: int) -> int:
    """Return what the first `units` of `qty` cost, rounded half up.

    A refund is the difference of two of these, so that the refunds of all units add up to the total.
    """
    return (2 * total * units + qty) // (2 * qty)


def by_lines(sold: Sold, lines: Sequence[Line], wanted: Sequence[tuple[int | str, int]], *, shipping: bool) -> Refund:
    """Return the refund of units, the lines named by number or product, and of the shipping."""
    units: dict[int, int] = {}
    for number, (name, qty) in enumerate(wanted):
        line = _find(lines, name, f"lines.{number}")
        units[line.line] = units.get(line.line, 0) + qty
    amount = sum(_of_line(line, units[line.line]) for line in lines if line.line in units)
    if shipping:
        if sold.shipping_is_refunded:
            raise ShippingRefunded
        units[SHIPPING], amount = 1, amount + sold.shipping
    return Refund(_checked(sold, amount), units)


def by_amount(sold: Sold, amount: float) -> Refund:
    """Return the refund of an amount in the currency's units."""
    minor = Decimal(repr(amount)).scaleb(decimals(sold.currency))
    if minor != minor.to_integral_value():
        raise BadRefund("amount", f"{sold.currency} has {decimals(sold.currency) or 'no'} decimals: round it")
    return Refund(_checked(sold, int(minor)), None)


def refuse_state(status: str, payment_status: str) -> NotRefundable:
    """Return the Problem of an order that holds no money."""
    why = {
        "not_required": "it needed no payment",
        "refunded": "all that was paid is refunded already",
    }.get(payment_status, "it is not paid")
    error = f"nothing can be refunded of this order: {why}"
    return NotRefundable(error, status_of_order=status, payment_status=payment_status)


def refuse_retry(status: str) -> NotRetriable:
    """Return the Problem of a refund that is not tried again."""
    if status != "failed":
        return NotRetriable(f"this refund has not failed: it is {status}")
    return NotRetriable("request a new refund of the order: what this one would have returned is refundable again")


def _find(lines: Sequence[Line], name: int | str, member: str) -> Line:
    found = [line for line in lines if name in (line.line if isinstance(name, int) else line.product_id,)]
    if not found:
        known = ", ".join(f"{line.line} ({line.product_id})" for line in lines)
        raise BadRefund(member, f"the order has no line {name!r}: it has {known}")
    return found[0]


def _of_line(line: Line, units: int) -> int:
    left = line.qty - line.refunded_qty
    if units > left:
        error = f"only {left} of {line.qty} units of {line.product_id} can still be refunded"
        raise TooManyUnits(error, line=line.line, product_id=line.product_id, left=left)
    return part(line.total, line.refunded_qty + units, line.qty) - part(line.total, line.refunded_qty, line.qty)


def _checked(sold: Sold, amount: int) -> int:
    if amount > sold.rest:
        rest: Any = money.amount(sold.rest, sold.currency)
        error = f"{money.amount(amount, sold.currency)} {sold.currency} is more than the {rest} that can be refunded"
        raise RefundTooLarge(f"{error}: refund an `amount` of at most that", refundable=float(rest))
    if amount == 0:
        raise NothingToRefund
    return amount
