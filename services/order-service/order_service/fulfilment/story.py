"""Tell what happened to an order, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from chassis.pages.formatting import price
from order_service.fulfilment import texts


class Happened(NamedTuple):
    """What happened, when, and more about it."""

    at: str
    what: str
    more: str = ""


def of(order: dict[str, Any]) -> list[Happened]:
    """Return the changes of the order, its payments and its refunds, oldest first."""
    changes = [Happened(change["at"], texts.STATUSES[change["status"]]) for change in order["history"]]
    return sorted([*changes, *_payments(order), *_refunds(order)], key=lambda happened: happened.at)


def _payments(order: dict[str, Any]) -> Iterator[Happened]:
    for payment in order["payments"]:
        if payment["paid_at"]:
            amount = price(payment["paid"] or payment["amount"], payment["paid_currency"] or payment["currency"])
            yield Happened(payment["paid_at"], f"{amount} paid", "" if payment["accepted"] else "not accepted")


def _refunds(order: dict[str, Any]) -> Iterator[Happened]:
    for refund in order["refunds"]:
        amount = price(refund["amount"], refund["currency"])
        yield Happened(refund["created_at"], f"Refund of {amount} requested", texts.REASONS[refund["reason"]].lower())
        if refund["finished_at"]:
            ended = "failed" if refund["status"] == "failed" else "done"
            yield Happened(refund["finished_at"], f"Refund of {amount} {ended}")
