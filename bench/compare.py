"""This checkout beside another: both shops run at once and take turns under the same load, round after round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from bench import shop, wrk
from bench.customers import enter, loads
from bench.figures import Outcome, Spread, brief
from bench.report import aligned, spread
from localshop import Trouble

Send = Callable[[str, str, int], Outcome]  # in which checkout, what, for how many seconds
Round = Mapping[str, Outcome]  # by checkout
CHECKOUTS = ("this", "other")


class Figure(NamedTuple):
    """One figure of both checkouts, round by round."""

    name: str
    unit: str
    this: Sequence[float]
    other: Sequence[float]

    @property
    def ratio(self) -> Spread:
        return Spread.of([this / other for this, other in zip(self.this, self.other, strict=True)])

    @property
    def verdict(self) -> str:
        """Return `better` or `worse` when every round agrees and the median lies outside of the other's spread."""
        this, other = Spread.of(self.this), Spread.of(self.other)
        higher = self.ratio.low > 1 and this.median > other.high
        lower = self.ratio.high < 1 and this.median < other.low
        if not higher and not lower:
            return "level"
        return "better" if higher == (self.unit == "/s") else "worse"


def compare(other: Path, only: str, rounds: int, seconds: int) -> list[Figure]:
    """Measure the works whose name contains `only` in both checkouts."""
    with shop.postgres() as server, shop.running(server, "this") as this, shop.running(server, "other", other) as that:
        click.echo("both shops run; customers register, sign in and order")
        shops = dict(zip(CHECKOUTS, (this, that), strict=True))
        visits = {who: loads(enter(each)) for who, each in shops.items()}
        if not (works := [work for work in visits["this"] if only in work]):
            raise Trouble(f"no work contains {only!r}; there are: {'; '.join(visits['this'])}")

        def send(who: str, work: str, seconds: int) -> Outcome:
            return wrk.send(visits[who][work], shops[who], seconds)

        for work in works:
            for who in shops:
                send(who, work, 1)  # fills caches and plans
        outcomes = [_round(f"round {n + 1}/{rounds}", n % 2 == 1, works, seconds, send) for n in range(rounds)]
    return [figure for work in works for figure in _figures(work, [each[work] for each in outcomes])]


def _round(title: str, reverse: bool, works: Sequence[str], seconds: int, send: Send) -> dict[str, Round]:
    """Measure each work in both; first in this one, or in reverse first in the other."""
    outcomes: dict[str, Round] = {}
    for work in works:
        outcomes[work] = {who: send(who, work, seconds) for who in CHECKOUTS[:: -1 if reverse else 1]}
        rates = ", ".join(f"{who} {brief(outcomes[work][who].rate)}/s" for who in CHECKOUTS)
        click.echo(f"{title}  {work}: {rates}")
    return outcomes


def _figures(work: str, rounds: Sequence[Round]) -> Iterator[Figure]:
    """Yield rate and p99 of a work, and of the sign-ins in its background."""
    yield Figure(work, "/s", *([each[who].rate for each in rounds] for who in CHECKOUTS))
    yield Figure(f"{work}, p99", "ms", *([each[who].p99 for each in rounds] for who in CHECKOUTS))
    behind = [{who: outcome.meanwhile for who, outcome in each.items() if outcome.meanwhile} for each in rounds]
    if all(behind):
        yield from _figures(f"POST /login beside {work.removesuffix(' during sign-ins')}", behind)


def text(figures: Sequence[Figure]) -> str:
    """Return a table for a terminal."""
    rows = [
        [
            each.name,
            each.unit,
            spread(Spread.of(each.this)),
            spread(Spread.of(each.other)),
            spread(each.ratio),
            each.verdict,
        ]
        for each in figures
    ]
    return aligned([["", "", *CHECKOUTS, "this / other", "verdict"], *rows])
