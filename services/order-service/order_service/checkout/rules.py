"""Rules of what can be priced, and the Problems that refuse it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from chassis.problems import InvalidRequest, Unprocessable
from order_service.catalog.rules import RefusedRows
from order_service.checkout.limits import LARGEST_QTY


class ProductIds(BaseModel):
    products: list[str]


class UnknownProduct(InvalidRequest):
    code, extension = "unknown_product", ProductIds


class TooMany(InvalidRequest):
    code, extension = "qty_too_large", ProductIds


class MixedCurrencies(InvalidRequest):
    code, error = "mixed_currencies", "one order takes one currency"


class ShippingUnavailable(InvalidRequest):
    code = "shipping_method_unavailable"
    error = (
        "choose one of the shipping methods that `POST /orders/quote` lists for this country and currency; "
        "where it lists none, the shop does not deliver"
    )


class BadTermsFile(Unprocessable):
    code, extension = "bad_terms_file", RefusedRows


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


def refuse_unknown(basket: Iterable[str], shelf: Mapping[str, OnShelf]) -> None:
    """Raise UnknownProduct when a product is not sold."""
    unknown = [product_id for product_id in basket if product_id not in shelf]
    if unknown:
        raise UnknownProduct(f"unknown product: {', '.join(unknown)}", products=unknown)


def refuse_mixed(shelf: Mapping[str, OnShelf]) -> None:
    """Raise MixedCurrencies when the products have more than one currency."""
    if len({product.currency for product in shelf.values()}) > 1:
        raise MixedCurrencies
