"""All failpoints of the services, and what a customer must be doing for the process to come by each."""

from __future__ import annotations

from enum import StrEnum


class Deed(StrEnum):
    PLACE = "placing an order"
    CANCEL = "cancelling one"
    REFRESH = "refreshing a token"
    ERASE = "deleting an account"


POINTS = {
    "place.before": Deed.PLACE,
    "place.after": Deed.PLACE,
    "cancel.before": Deed.CANCEL,
    "cancel.after": Deed.CANCEL,
    "refresh.before": Deed.REFRESH,
    "refresh.after": Deed.REFRESH,
    # user-service: one transaction of two writes
    "erase.before": Deed.ERASE,
    "erase.claimed": Deed.ERASE,
    "erase.ended": Deed.ERASE,
    "erase.after": Deed.ERASE,
    # order-service, when it hears of it: one transaction of several writes
    "learn.before": Deed.ERASE,
    "learn.remembered": Deed.ERASE,
    "learn.noted": Deed.ERASE,
    "learn.erased": Deed.ERASE,
    "learn.advanced": Deed.ERASE,
    "learn.after": Deed.ERASE,
}


def of(*deeds: Deed) -> list[str]:
    return [point for point, deed in POINTS.items() if deed in deeds]
