"""Rules of orders and the Problems that refuse them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from chassis.problems import Conflict
from order_service.checkout.rules import (
    MixedCurrencies,
    OnShelf,
    ProductIds,
    ShippingUnavailable,
    TooMany,
    UnknownProduct,
    merge,
    refuse_mixed,
    refuse_unknown,
)
from order_service.checkout.schemas import QuoteOut, ShortProduct
from order_service.orders.states import ACTIONS
from order_service.refusals import FeedTooOld, KeyReused

__all__ = [
    "FeedTooOld", "KeyReused", "MixedCurrencies", "OnShelf", "ShippingUnavailable", "TooMany", "UnknownProduct",
    "merge",
]  # fmt: skip

CANCELLABLE = ACTIONS["cancel"].statuses


class ShortProducts(BaseModel):
    products: list[ShortProduct]


class CurrentStatus(BaseModel):
    status_of_order: str
    payment_status: str


class CurrentQuote(BaseModel):
    quote: QuoteOut


class OutOfStock(Conflict):
    code, error, extension = "out_of_stock", "out of stock", ShortProducts


class PriceChanged(Conflict):
    code, extension = "price_changed", CurrentQuote
    error = "the total is not what you expected: look at the new quote, and order again with its total"


class TooManyUnpaid(Conflict):
    code, extension = "too_many_unpaid", ProductIds


class NotCancellable(Conflict):
    code, extension = "not_cancellable", CurrentStatus


class StillInFlight(Conflict):
    code, error = "request_in_flight", "a request with this idempotency key is still being worked on"
    headers = (("Retry-After", "1"),)


def refuse(basket: Mapping[str, int], shelf: Mapping[str, OnShelf]) -> None:
    """Raise the Problem that prevents this order; return when there is none."""
    refuse_unknown(basket, shelf)
    short = [
        {"product_id": product_id, "wanted": qty, "available": shelf[product_id].stock}
        for product_id, qty in basket.items()
        if shelf[product_id].stock < qty
    ]
    if short:
        raise OutOfStock(products=short)
    refuse_mixed(shelf)


def refuse_terms(offer: Mapping[str, Any]) -> None:
    """Raise the Problem of an order whose products are there, but not on these terms; PriceChanged is left out."""
    if not offer["shipping_is_known"]:
        raise ShippingUnavailable
    if waiting := offer["waiting"]:
        listed = ", ".join(waiting)
        message = f"pay for or cancel your earlier orders of {listed} first, or order less: too much waits for payment"
        raise TooManyUnpaid(message, products=waiting)
