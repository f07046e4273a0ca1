"""Results, their limits and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Outcome(NamedTuple):
    """Result of one server in one round: requests per second, number of requests, latencies in milliseconds."""

    rate: float
    requests: int
    p50: float = 0.0
    p99: float = 0.0
    meanwhile: Outcome | None = None  # result of the background load


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


class Comparison(NamedTuple):
    """One figure of the shop and its limit, one value per round; without a limit the target is absolute."""

    work: str
    unit: str
    ours: Sequence[float]
    limits: Sequence[float]
    target: float
    at_least: bool = True

    @property
    def ratio(self) -> Spread:
        """The ratio per round, because a disturbance slows down both."""
        if not self.limits:
            return Spread.of(self.ours)
        return Spread.of([ours / limit for ours, limit in zip(self.ours, self.limits, strict=True)])

    @property
    def met(self) -> bool:
        return self.ratio.median >= self.target if self.at_least else self.ratio.median <= self.target

    @property
    def verdict(self) -> str:
        return "met" if self.met else "MISSED"

    @property
    def aim(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.target:g}"


class Table(NamedTuple):
    """A table of comparisons: `ours` and `limit` are column heads, `note` says how they were measured."""

    slug: str
    title: str
    ours: str
    limit: str
    note: str
    rows: Sequence[Comparison]


def summary(tables: Sequence[Table]) -> str:
    """Return one line with the number of targets met and the names of those missed."""
    rows = [row for table in tables for row in table.rows]
    missed = [f"{table.slug}: {row.work}" for table in tables for row in table.rows if not row.met]
    met = f"{len(rows) - len(missed)} of {len(rows)} targets met"
    return f"{met}; MISSED: {'; '.join(missed)}" if missed else met


def brief(value: float) -> str:
    """Format a figure with about three digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
