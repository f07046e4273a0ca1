"""Measure a worker's memory after all loads, and again after repeating them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import click

from bench import wrk
from bench.figures import Comparison
from bench.shop import Server, Shop
from bench.wrk import Load

AT_MOST_MB, FLAT = 110, 1.02
SECONDS = 5
QUIET_SECONDS = 5  # until the memory of password hashes is released


def measure(shop: Shop, loads: Mapping[str, Load], requests: Mapping[str, int]) -> Iterator[Comparison]:
    """Yield both services' figures; `requests` is the number of requests that each has served."""
    for name, server in shop.items():
        time.sleep(QUIET_SECONDS)
        first = _megabytes(server)
        own = [load for load in loads.values() if load.service == name and not load.meanwhile]
        more = sum(wrk.run(load, server.port, SECONDS).requests for load in own)
        second = _megabytes(server)
        click.echo(f"{name}: {first:.1f} MB, {second:.1f} MB after {more:,} more requests")
        yield Comparison(f"{name}, {requests[name]:,} requests", "MB", [first], [], AT_MOST_MB, at_least=False)
        yield Comparison(f"{name}, {more:,} more", "MB", [second], [first], FLAT, at_least=False)


def _megabytes(server: Server) -> float:
    """Return the resident memory of the largest worker."""
    workers = [process for process in server.family() if "spawn_main" in " ".join(process.cmdline())]
    return float(max(worker.memory_info().rss for worker in workers)) / 1e6
