"""What an order, its payment and its refunds should be after each step: the reference of the model test of money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True)
class Order:
    """`prices` and `units` by product; amounts in minor units. A page is known as open, closed or paid."""

    buyer: str
    currency: str
    prices: Mapping[str, int]
    units: Mapping[str, int]
    shipping: int
    has_contact: bool
    status: str = "placed"
    is_declined: bool = False
    is_unpaid_too_long: bool = False
    paid: int = 0
    refunded: int = 0
    sent_back: int = 0
    """What was paid beside `paid`: late, twice, or another amount."""
    pages: Mapping[str, str] = field(default_factory=dict)
    given_up: Mapping[str, int] = field(default_factory=dict)
    """The units that were refunded, by product."""
    shelved: Mapping[str, int] = field(default_factory=dict)
    """The units that are in stock again, by product."""

    @property
    def total(self) -> int:
        return sum(self.prices[product] * units for product, units in self.units.items()) + self.shipping

    @property
    def payment(self) -> str:
        if self.total == 0:
            return "not_required"
        if self.paid == 0:
            return "failed" if self.is_declined else "pending"
        return {0: "paid", self.paid: "refunded"}.get(self.refunded, "partially_refunded")

    @property
    def waits(self) -> bool:
        return self.status == "placed" and self.payment in {"pending", "failed"}

    @property
    def holds_money(self) -> bool:
        return self.paid > self.refunded

    def open_page(self, page: str) -> Order:
        return replace(self, pages={page: "open", **self.pages})

    def hear(self, page: str, said: str, amount: int | None) -> Order:
        """Learn what became of a page: open, failed, expired, or paid with an amount (None: in another currency)."""
        known = self.pages.get(page, "open")
        if said == "open" or known == "paid" or (said != "paid" and known != "open"):
            return self
        heard = replace(self, pages={**self.pages, page: "paid" if said == "paid" else "closed"})
        if said != "paid":
            return replace(heard, is_declined=True) if said == "failed" and self.waits else heard
        if self.waits and amount == self.total:
            return replace(heard, paid=self.total)
        return replace(heard, sent_back=self.sent_back + (amount or 0))

    def cancel(self) -> Order | None:
        """Return the order when it is cancelled: what is left of it goes back, units and money."""
        if self.status != "placed":
            return None
        back = {product: units - self.given_up.get(product, 0) for product, units in self.units.items()}
        shelved = {product: self.shelved.get(product, 0) + units for product, units in back.items()}
        return replace(self, status="cancelled", is_declined=True, refunded=self.paid, shelved=shelved)

    def expire(self) -> Order:
        return (self.cancel() or self) if self.waits and self.is_unpaid_too_long else self

    def ship(self) -> Order | None:
        is_due = self.status == "placed" and (self.payment == "not_required" or self.holds_money)
        return replace(self, status="shipped") if is_due and self.has_contact else None

    def deliver(self) -> Order | None:
        return replace(self, status="delivered") if self.status == "shipped" else None

    def refund(self, amount: int) -> Order | None:
        """Return the order when an amount of it goes back; None: it is refused."""
        is_possible = self.holds_money and 0 < amount <= self.paid - self.refunded
        return replace(self, refunded=self.refunded + amount) if is_possible else None

    def refund_units(self, product: str, units: int, *, restock: bool) -> Order | None:
        """Return the order when units of a product go back, with the shelf or without it."""
        gone = self.given_up.get(product, 0)
        line = self.prices[product] * self.units[product]
        share = [_rounded(Decimal(line * count) / self.units[product]) for count in (gone, gone + units)]
        refunded = self.refund(share[1] - share[0])
        if refunded is None or gone + units > self.units[product]:
            return None
        again = units if restock and self.status != "cancelled" else 0
        shelved = {**self.shelved, product: self.shelved.get(product, 0) + again}
        return replace(refunded, given_up={**self.given_up, product: gone + units}, shelved=shelved)


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def stock(opening: Mapping[str, int], orders: Iterable[Order]) -> dict[str, int]:
    """Return the stock of each product: what was there, less what was sold, plus what came back."""
    left = dict(opening)
    for order in orders:
        for product, units in order.units.items():
            left[product] += order.shelved.get(product, 0) - units
    return left
