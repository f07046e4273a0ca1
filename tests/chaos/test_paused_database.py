"""PostgreSQL stopped in its tracks for 20 seconds: it neither answers nor refuses."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import NamedTuple

import psutil
import pytest

from chaos.buyers import Heard
from chaos.wire import Line
from chaos.world import World

PAUSE_SECONDS = 20
DEADLINE_SECONDS = 6 + 2  # the statement's own, and one for the way and for a busy machine
MIB = 1024 * 1024


class Load(NamedTuple):
    threads: int
    rss: int


def load(world: World) -> Load:
    """Return what the order-service's workers hold together."""
    workers: list[psutil.Process] = [worker for server in world.orders for worker in server.workers()]
    return Load(sum(worker.num_threads() for worker in workers), sum(worker.memory_info().rss for worker in workers))


def seconds_for(world: World, path: str) -> tuple[int, float]:
    line, began = Line(world.ports), time.monotonic()
    answer = line.ask("GET", path)
    line.hang_up()
    return answer.status, time.monotonic() - began


@pytest.mark.budget(75)
def test_a_paused_database_costs_one_deadline_and_then_nothing(world: World) -> None:
    books = world.books()
    postgres = world.shop.postgres
    assert postgres is not None
    with world.buyers(32) as buyers:
        world.tend(2)
        before, loads, probes = load(world), [], []

        # when the database hangs
        postgres.freeze()
        frozen_at = time.monotonic()
        try:
            while time.monotonic() < frozen_at + PAUSE_SECONDS:
                loads.append(load(world))
                probes.append(seconds_for(world, "/healthz"))
                time.sleep(1)
        finally:
            postgres.thaw()
            world.mark()
        world.tend(3)

    # then nobody waited longer than one deadline, and after the first deadline next to nobody at all
    paused = [heard for heard in buyers.heard if frozen_at < heard.at < frozen_at + PAUSE_SECONDS]
    refusals = [heard for heard in paused if heard.status not in {200, 201}]
    assert {(heard.status, heard.retry_after) for heard in refusals} == {(503, "1")}
    assert max(heard.seconds for heard in buyers.heard) < DEADLINE_SECONDS
    assert quick(refusals) > 0.95
    # and the process stays alive and small
    assert {status for status, _ in probes} == {200}
    assert max(seconds for _, seconds in probes) < 1
    assert max(now.threads for now in loads) <= before.threads + 32
    assert max(now.rss for now in loads) < before.rss + 48 * MIB
    assert longest_silence(paused) < DEADLINE_SECONDS
    # and it recovers by itself
    outcome = world.close("PostgreSQL paused for 20 s", books, buyers)
    assert outcome.recovery_seconds is not None
    assert outcome.recovery_seconds < DEADLINE_SECONDS


def quick(answers: list[Heard]) -> float:
    return sum(heard.seconds < 0.5 for heard in answers) / len(answers)


def longest_silence(answers: list[Heard]) -> float:
    return max(later.at - earlier.at for earlier, later in pairwise(sorted(answers)))
