"""How much memory a worker has after 100,000 requests of all kinds, and after 100,000 more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench import wrk
from bench.clock import Clock
from bench.figures import Comparison
from bench.wrk import Load
from localshop.service import Service

REQUESTS = 100_000
AT_MOST_MB, FLAT = 110, 1.02
STEP_SECONDS = 4


class Tired(NamedTuple):
    """A service that has answered `requests` already, and what is cheap to ask it."""

    service: Service
    requests: int
    load: Load


def measure(services: list[Tired], clock: Clock) -> Iterator[Comparison]:
    for service, answered, load in services:
        total = answered + _answer(load, service.port, REQUESTS - answered)
        first = _megabytes(service)
        clock.say(f"{service.name}: {first:.1f} MB per worker after {total:,} requests")
        more = _answer(load, service.port, REQUESTS)
        second = _megabytes(service)
        clock.say(f"{service.name}: {second:.1f} MB per worker after {more:,} more")
        yield Comparison(f"{service.name}, {total:,} requests", "MB", [first], [], AT_MOST_MB, at_least=False)
        yield Comparison(f"{service.name}, {more:,} more", "MB", [second], [first], FLAT, at_least=False)


def _answer(load: Load, port: int, wanted: int) -> int:
    """Send so many requests, or a few more; return how many."""
    answered = 0
    while answered < wanted:
        answered += wrk.run(load, port, STEP_SECONDS).requests
    return answered


def _megabytes(service: Service) -> float:
    """Return the resident memory of the largest worker."""
    return float(max(worker.memory_info().rss for worker in service.workers())) / 1e6
