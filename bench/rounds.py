"""Measure servers in turns, round after round, so that a disturbance affects all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import click

from bench.figures import Outcome, brief

SETTLE_SECONDS = 0.1  # lets requests in flight finish before the next run
Contender = Callable[[int], Outcome]  # called with the seconds to measure
Races = Mapping[str, Mapping[str, Contender]]  # contenders by name, by load
Results = dict[str, dict[str, list[Outcome]]]  # one outcome per round


def run(races: Races, rounds: int, seconds: int) -> Results:
    """Warm up all contenders, then measure each once per round, in reverse order every second round."""
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
