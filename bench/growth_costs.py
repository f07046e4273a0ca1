"""What an order costs PostgreSQL, and how that grows with the orders that are there."""

from __future__ import annotations

import math
from statistics import linear_regression
from typing import NamedTuple

PAGE = 8192


class Disk(NamedTuple):
    """Bytes an order; the two indexes are those that take their keys in random order."""

    tables: float
    indexes: float
    by_buyer: float
    by_key: float


class Cpu(NamedTuple):
    """Microseconds of all of PostgreSQL's processes."""

    place: float
    read: float
    page: float


class Cost(NamedTuple):
    """At so many orders; WAL in bytes an order, without full pages, and with them right after a checkpoint."""

    orders: int
    cpu: Cpu
    wal: float
    wal_full: float
    disk: Disk


class Fit(NamedTuple):
    """cost = a + b * ln(orders)."""

    a: float
    b: float

    @classmethod
    def of(cls, costs: list[Cost], what: str) -> Fit:
        slope, intercept = linear_regression([math.log(c.orders) for c in costs], [getattr(c.cpu, what) for c in costs])
        return cls(intercept, slope)

    def at(self, orders: float) -> float:
        return self.a + self.b * math.log(orders)


def whole_pages(index_bytes: float, orders: float, between: float) -> float:
    """Return how many pages of an index an order touches first since the checkpoint, when keys come in random order."""
    pages = index_bytes * orders / PAGE
    return pages * -math.expm1(-between / pages) / between
