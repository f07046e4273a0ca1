"""Compare the visitor's basket with the catalogue as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from chassis.db.database import Database
from chassis.pages.basket import Line
from order_service import money
from order_service.catalog import queries


class BasketLine(NamedTuple):
    """A product in the basket; `seen` is the price that the visitor last saw. Prices are in the smallest unit."""

    product: dict[str, Any]
    qty: int
    seen: int

    @property
    def price(self) -> int:
        return money.to_minor(self.product["price"], self.product["currency"])

    @property
    def is_short(self) -> bool:
        return bool(self.product["available"] < self.qty)

    @property
    def total(self) -> int:
        """The price of all units."""
        return self.price * self.qty

    def amount(self, minor: int) -> Decimal:
        return money.amount(minor, self.product["currency"])


class Basket(NamedTuple):
    """What is in the basket, and how many of its products are no longer sold."""

    lines: list[BasketLine]
    gone: int = 0

    @property
    def currency(self) -> str:
        return str(self.lines[0].product["currency"]) if self.lines else ""

    @property
    def quantities(self) -> dict[str, int]:
        return {line.product["id"]: line.qty for line in self.lines}

    @property
    def is_mixed(self) -> bool:
        return len({line.product["currency"] for line in self.lines}) > 1

    @property
    def total(self) -> int:
        """The sum in the currency's smallest unit."""
        return sum(line.total for line in self.lines)

    @property
    def amount(self) -> Decimal:
        return money.amount(self.total, self.currency)

    @property
    def can_be_ordered(self) -> bool:
        return bool(self.lines) and not self.is_mixed and not any(line.is_short for line in self.lines)

    def cookie_lines(self) -> list[Line]:
        return [Line(line.product["id"], line.qty, line.price) for line in self.lines]


def look_up(db: Database, lines: Sequence[Line]) -> Basket:
    """Return the basket at today's prices and stock."""
    documents = queries.get_products(db, product_ids=[line.product_id for line in lines]) if lines else []
    products = {product["id"]: product for product in map(orjson.loads, documents)}
    found = [
        BasketLine(products[line.product_id], line.qty, line.price) for line in lines if line.product_id in products
    ]
    return Basket(found, len(lines) - len(found))
