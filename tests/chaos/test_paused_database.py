"""PostgreSQL is suspended by SIGSTOP for 20 seconds: it neither answers nor refuses."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import NamedTuple

import psutil
import pytest

from chaos.environment import Environment
from chaos.load import Heard
from chaos.wire import Line

PAUSE_SECONDS = 20
STATEMENT_SECONDS = 6  # after that a worker gives up on a statement
DEADLINE_SECONDS = STATEMENT_SECONDS + 2  # with transfer time on a busy machine
SLOW_SECONDS = STATEMENT_SECONDS / 2  # between an immediate answer and one after the deadline
BUYERS = 32  # each with one request in flight: in a statement, in a batch, or waiting for a slot
WORKERS = 2
TRIALS = WORKERS * 2 * (PAUSE_SECONDS // STATEMENT_SECONDS)
MIB = 1024 * 1024


class Resources(NamedTuple):
    threads: int
    rss: int


def resources(environment: Environment) -> Resources:
    """Return the total threads and memory of the workers of order-service."""
    workers: list[psutil.Process] = [worker for server in environment.orders for worker in server.workers()]
    return Resources(
        sum(worker.num_threads() for worker in workers), sum(worker.memory_info().rss for worker in workers)
    )


def probe(environment: Environment) -> Heard:
    line, began = Line(environment.ports), time.monotonic()
    answer = line.ask("GET", "/healthz")
    line.close()
    now = time.monotonic()
    return Heard(now, now - began, answer.status, None)


@pytest.mark.budget(150)
def test_paused_database_delays_only_requests_in_flight(environment: Environment) -> None:
    invariants = environment.invariants()
    postgres = environment.shop.postgres
    assert postgres is not None
    with environment.load(BUYERS) as load:
        environment.tend(2)
        before, used, probes = resources(environment), [], []

        # when the database hangs
        postgres.freeze()
        frozen_at = time.monotonic()
        try:
            while time.monotonic() < frozen_at + PAUSE_SECONDS:
                used.append(resources(environment))
                probes.append(probe(environment))
                time.sleep(1)
        finally:
            postgres.thaw()
            environment.mark()
        environment.tend(3)

    # then the requests in flight, and few trials after them, wait for one deadline; all others are refused at once
    paused = [heard for heard in load.heard if frozen_at < heard.at < frozen_at + PAUSE_SECONDS]
    refusals = [heard for heard in paused if heard.status not in {200, 201}]
    assert {(heard.status, heard.retry_after) for heard in refusals} == {(503, "1")}
    assert max(heard.seconds for heard in load.heard) < DEADLINE_SECONDS
    assert sum(heard.seconds > SLOW_SECONDS for heard in refusals) <= BUYERS + TRIALS
    assert longest_silence(paused) < DEADLINE_SECONDS
    # and probes are answered while the first statements still wait for their deadline
    assert {heard.status for heard in probes} == {200}
    assert probes[0].at < frozen_at + SLOW_SECONDS
    assert max(heard.seconds for heard in probes) < SLOW_SECONDS
    # and threads and memory do not grow
    assert max(now.threads for now in used) <= before.threads + 32
    assert max(now.rss for now in used) < before.rss + 48 * MIB
    # and orders are placed again
    outcome = environment.close("PostgreSQL paused for 20 s", invariants, load)
    assert outcome.recovery_seconds is not None
    assert outcome.recovery_seconds < DEADLINE_SECONDS


def longest_silence(answers: list[Heard]) -> float:
    return max(later.at - earlier.at for earlier, later in pairwise(sorted(answers)))
