"""Rules of orders and the Problems that refuse them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from chassis.problems import Conflict, InvalidRequest
from order_service.refusals import FeedTooOld, KeyReused

__all__ = ["FeedTooOld", "KeyReused"]

MOST_LINES = 50
LARGEST_QTY = 999

CANCELLABLE = ("placed",)


class ProductIds(BaseModel):
    products: list[str]


class ShortProduct(BaseModel):
    product_id: str
    wanted: int
    available: int


class ShortProducts(BaseModel):
    products: list[ShortProduct]


class CurrentStatus(BaseModel):
    status_of_order: str


class UnknownProduct(InvalidRequest):
    code, extension = "unknown_product", ProductIds


class TooMany(InvalidRequest):
    code, extension = "qty_too_large", ProductIds


class MixedCurrencies(InvalidRequest):
    code, error = "mixed_currencies", "one order takes one currency"


class OutOfStock(Conflict):
    code, error, extension = "out_of_stock", "out of stock", ShortProducts


class NotCancellable(Conflict):
    code, extension = "not_cancellable", CurrentStatus


class StillInFlight(Conflict):
    code, error = "request_in_flight", "a request with this idempotency key is still being worked on"
    headers = (("Retry-After", "1"),)


class OnShelf(NamedTuple):
    """Stock and currency of a product when the order was tried."""

    stock: int
    currency: str


def merge(lines: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Add up the quantities per product, in order of first appearance; raise TooMany above LARGEST_QTY."""
    basket: dict[str, int] = {}
    for product_id, qty in lines:
        basket[product_id] = basket.get(product_id, 0) + qty
    too_many = [product_id for product_id, qty in basket.items() if qty > LARGEST_QTY]
    if too_many:
        raise TooMany(f"at most {LARGEST_QTY} of one product: {', '.join(too_many)}", products=too_many)
    return basket


def refuse(basket: Mapping[str, int], shelf: Mapping[str, OnShelf]) -> None:
    """Raise the Problem that prevents this order; return when there is none."""
    unknown = [product_id for product_id in basket if product_id not in shelf]
    if unknown:
        raise UnknownProduct(f"unknown product: {', '.join(unknown)}", products=unknown)
    short = [
        {"product_id": product_id, "wanted": qty, "available": shelf[product_id].stock}
        for product_id, qty in basket.items()
        if shelf[product_id].stock < qty
    ]
    if short:
        raise OutOfStock(products=short)
    if len({product.currency for product in shelf.values()}) > 1:
        raise MixedCurrencies
