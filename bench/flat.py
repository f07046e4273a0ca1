"""Judge the samples of a soak: does a figure stay flat after the first third, and how much is written per order?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import linear_regression, median
from typing import NamedTuple

HOUR = 3600.0
SETTLED = 1 / 3  # of the time: until caches, pools and the allocator have what they keep
NOISE = 0.03  # of the level: what the fitted line may rise or fall when nothing leaks
LEAST_SAMPLES = 6


class Limit(NamedTuple):
    """The growth in an hour that is no leak yet, and what of it may be noise, in the figure's unit."""

    an_hour: float
    noise: float


class Verdict(NamedTuple):
    figure: str
    unit: str
    level: float
    growth: float
    limit: float
    flat: bool

    def cells(self) -> tuple[str, ...]:
        said = "flat" if self.flat else "GROWS"
        return (self.figure, f"{self.level:,.1f}", f"{self.growth:+,.2f}", f"{self.limit:,.2f}", self.unit, said)


class Bound(NamedTuple):
    """What was written per order, and at most may be."""

    figure: str
    each: float
    limit: float

    @property
    def flat(self) -> bool:
        return self.each <= self.limit

    def cells(self) -> tuple[str, ...]:
        said = "bounded" if self.flat else "TOO MUCH"
        return (self.figure, "", f"{self.each:,.0f}", f"{self.limit:,.0f}", "bytes an order", said)


def judge(figure: str, unit: str, seconds: Sequence[float], values: Sequence[float], limit: Limit) -> Verdict:
    """Fit a line to the last two thirds of the samples; it grows when it rises by more than the limit and the noise.

    The limit counts per hour; in a shorter soak the noise of a few samples would look like a steep line.
    """
    if len(values) < LEAST_SAMPLES:
        raise ValueError(f"{len(values)} samples are too few to judge {figure}: at least {LEAST_SAMPLES}")
    kept = [n for n, at in enumerate(seconds) if at >= seconds[0] + (seconds[-1] - seconds[0]) * SETTLED]
    times, settled = [seconds[n] for n in kept], [values[n] for n in kept]
    slope = linear_regression(times, settled).slope
    level, risen = median(settled), slope * (times[-1] - times[0])
    flat = slope * HOUR <= limit.an_hour or risen <= max(limit.noise, NOISE * level)
    return Verdict(figure, unit, level, slope * HOUR, limit.an_hour, flat)


def per_order(figure: str, orders: Sequence[float], written: Sequence[float], limit: float) -> Bound:
    """Divide the bytes that were written in the last two thirds of the orders by these orders."""
    first = next(n for n, count in enumerate(orders) if count >= orders[0] + (orders[-1] - orders[0]) * SETTLED)
    placed = orders[-1] - orders[first]
    return Bound(figure, (written[-1] - written[first]) / placed if placed else float("inf"), limit)
