"""Let contenders take turns, round after round, so that a disturbance meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import click

from bench.figures import Outcome, brief

SETTLE_SECONDS = 0.1  # requests in flight at the end of a run are finished before the next begins
Contender = Callable[[int], Outcome]  # called with how many seconds to measure
Races = Mapping[str, Mapping[str, Contender]]  # contenders by name, by what they do
Results = dict[str, dict[str, list[Outcome]]]  # one outcome a round


def run(races: Races, rounds: int, seconds: int) -> Results:
    """Warm up all contenders, then measure them in each round, every other round in reverse order."""
    for race in races.values():
        for contender in race.values():
            contender(1)
    results: Results = {work: {who: [] for who in race} for work, race in races.items()}
    for number in range(rounds):
        for work, race in races.items():
            for who in list(race)[:: -1 if number % 2 else 1]:
                results[work][who].append(race[who](seconds))
                time.sleep(SETTLE_SECONDS)
            rates = ", ".join(f"{who} {brief(outcomes[-1].rate)}/s" for who, outcomes in results[work].items())
            click.echo(f"round {number + 1}/{rounds}  {work}: {rates}")
    return results
