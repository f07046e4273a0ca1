"""Compare this checkout with another: both shops run at once and are loaded in turns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click

from bench import rounds, shop, wrk
from bench.customers import loads, register
from bench.figures import Outcome, Spread
from bench.report import aligned, spread
from localshop import Trouble

CHECKOUTS = ("this", "other")


class Figure(NamedTuple):
    """One figure of both checkouts, one value per round."""

    name: str
    unit: str
    this: Sequence[float]
    other: Sequence[float]

    @property
    def ratio(self) -> Spread:
        pairs = zip(self.this, self.other, strict=True)
        return Spread.of([this / other if other else math.inf for this, other in pairs])

    @property
    def verdict(self) -> str:
        """Return `better` or `worse` if all rounds agree and the median is outside the other's spread, else `level`."""
        this, other = Spread.of(self.this), Spread.of(self.other)
        higher = self.ratio.low > 1 and this.median > other.high
        lower = self.ratio.high < 1 and this.median < other.low
        if not higher and not lower:
            return "level"
        return "better" if higher == (self.unit == "/s") else "worse"


def compare(other: Path, only: str, number: int, seconds: int) -> list[Figure]:
    """Measure the loads whose name contains `only` in both checkouts; return their figures."""
    with shop.postgres() as server, shop.running(server, "this") as this, shop.running(server, "other", other) as that:
        click.echo("both shops run; customers register, sign in and order")
        both = [(each, loads(register(each))) for each in (this, that)]
        races = {
            work: {
                who: partial(wrk.send, load[work], servers)
                for who, (servers, load) in zip(CHECKOUTS, both, strict=True)
            }
            for work in both[0][1]
            if only in work
        }
        if not races:
            raise Trouble(f"no work contains {only!r}; there are: {'; '.join(both[0][1])}")
        results = rounds.run(races, number, seconds)
    return [figure for work, outcomes in results.items() for figure in _figures(work, outcomes)]


def _figures(work: str, outcomes: Mapping[str, Sequence[Outcome]]) -> Iterator[Figure]:
    """Yield rate and p99 of a load, and of its background load."""
    this, other = (outcomes[who] for who in CHECKOUTS)
    yield Figure(work, "/s", [each.rate for each in this], [each.rate for each in other])
    yield Figure(f"{work}, p99", "ms", [each.p99 for each in this], [each.p99 for each in other])
    behind = {who: [each.meanwhile for each in outcomes[who] if each.meanwhile] for who in CHECKOUTS}
    if all(behind.values()):
        yield from _figures(f"POST /login beside {work.removesuffix(' during sign-ins')}", behind)


def text(figures: Sequence[Figure]) -> str:
    """Return a table for a terminal."""
    head = ["", "", *CHECKOUTS, "this / other", "verdict"]
    spreads = [[spread(Spread.of(each.this)), spread(Spread.of(each.other)), spread(each.ratio)] for each in figures]
    rows = [[each.name, each.unit, *cells, each.verdict] for each, cells in zip(figures, spreads, strict=True)]
    return aligned([head, *rows])
