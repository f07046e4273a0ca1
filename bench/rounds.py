"""Let contenders take turns, round after round, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.clock import Clock
from bench.figures import Outcome, brief

ROUNDS = 5
SETTLE_SECONDS = 0.1  # what was on its way at the end of a run is finished before the next begins
OVERHEAD_SECONDS = 0.25  # of starting a run, of checking one answer, and of settling
Contender = Callable[[int], Outcome]


class Race(NamedTuple):
    """One work, and who does it: called with how many seconds to go on for; those in `short` are given one."""

    work: str
    contenders: Mapping[str, Contender]
    short: frozenset[str] = frozenset()

    def seconds(self, who: str, long: int) -> int:
        return 1 if who in self.short else long

    def lasts(self, long: int) -> float:
        return sum(self.seconds(who, long) + OVERHEAD_SECONDS for who in self.contenders)

    def run(self, long: int) -> dict[str, Outcome]:
        outcomes = {}
        for who, contender in self.contenders.items():
            outcomes[who] = contender(self.seconds(who, long))
            time.sleep(SETTLE_SECONDS)
        return outcomes


class Results:
    """What everybody did in each round."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], list[Outcome]] = {}

    def add(self, work: str, outcomes: Mapping[str, Outcome]) -> None:
        for who, outcome in outcomes.items():
            self._outcomes.setdefault((work, who), []).append(outcome)

    def of(self, work: str, who: str) -> list[Outcome]:
        return self._outcomes[work, who]

    def rates(self, work: str, who: str) -> list[float]:
        return [outcome.rate for outcome in self.of(work, who)]

    def requests(self, work: str, who: str) -> int:
        return sum(outcome.requests for outcome in self.of(work, who))


def fitting(races: Sequence[Race], seconds: float) -> int:
    """Return how many seconds a long run may last so that warming up and all rounds fit."""
    total = sum(race.lasts(1) + ROUNDS * race.lasts(2) for race in races)
    return 2 if total <= seconds else 1


def run(races: Sequence[Race], clock: Clock, long: int) -> Results:
    """Warm everybody up, then let them all race in each round."""
    results = Results()
    for number in range(ROUNDS + 1):
        for race in races:
            outcomes = race.run(long if number else 1)
            rates = ", ".join(f"{who} {brief(outcome.rate)}/s" for who, outcome in outcomes.items())
            clock.say(f"{f'round {number}/{ROUNDS}' if number else 'warm-up'}  {race.work}: {rates}")
            if number:
                results.add(race.work, outcomes)
    return results
