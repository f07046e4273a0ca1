"""`python -m bench`: measure everything within ten minutes; `--report` also writes docs/benchmarks.md."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import psycopg

from bench import catalogue, limits, machine, memory, report, rounds, seed, servers, start, suite, traffic, verification
from bench import compare as comparing
from bench.clock import Clock
from bench.figures import Table, summary
from bench.wrk import require_wrk
from localshop import ROOT, Trouble
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

UNTHROTTLED = {"RATE_LIMIT_PER_ADDRESS": "1000000000"}  # one address signs in all the time
MEMORY_SECONDS = 75


@click.group(invoke_without_command=True)
@click.option("--report", "to_docs", is_flag=True, help="Write docs/benchmarks.md and its pictures.")
@click.pass_context
def main(context: click.Context, to_docs: bool) -> None:
    """Measure the shop beside its limits; exit 0 when everything could be measured, whatever the verdicts."""
    require_wrk()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: leave nothing behind
    if context.invoked_subcommand is None:
        beside_limits(to_docs)


@main.command()
@click.argument("other", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rounds", default=5, show_default=True, help="How often each work is measured in both.")
@click.option("--seconds", default=3, show_default=True, help="How long each measurement lasts.")
@click.option("--only", default="", help="Measure only works whose name contains this, such as orders.")
def compare(other: Path, rounds: int, seconds: int, only: str) -> None:
    """Measure this checkout beside OTHER, a working tree of another commit with a .venv of its own."""
    load_before = os.getloadavg()[0]
    measured = comparing.compare(other.resolve(), only, rounds, seconds)
    click.echo(f"\nMedians (lowest to highest) of {rounds} rounds of {seconds} s; load before: {load_before:.1f}")
    click.echo(comparing.text(measured))


def beside_limits(to_docs: bool) -> None:
    clock, facts = Clock(), machine.facts()
    try:
        with clock.bounding():
            tables = measure(clock)
    except (OSError, psycopg.Error, subprocess.SubprocessError) as failure:
        raise Trouble(f"not everything could be measured: {failure}") from failure
    for table in tables:
        click.echo(report.text(table))
    if to_docs:
        report.write(ROOT / "docs", tables, facts)
        clock.say("written: docs/benchmarks.md")
    clock.say(summary(tables))


def measure(clock: Clock) -> list[Table]:
    verified = list(verification.measure())
    clock.say("tokens verified")
    with shop_of(seed.SMALL, clock) as small:
        started = start.measure(small, clock)
        imported = catalogue.measure(small, small.data, clock)
        with shop_of(seed.GROWN, clock) as grown, staged(small, grown) as stage:
            races = suite.races(stage)
            long = rounds.fitting(races, clock.left - MEMORY_SECONDS)
            clock.say(f"{rounds.ROUNDS} rounds, {long} s a run")
            results = rounds.run(races, clock, long)
            seed.audit(small)
            remembered = list(memory.measure(suite.tired(stage, results), clock))
    return [*suite.tables(results), *suite.others(verified, remembered, started, imported)]


@contextmanager
def shop_of(size: seed.Size, clock: Clock) -> Iterator[Shop]:
    """Run a shop of this size in a folder of its own."""
    user, order = free_ports()
    with fresh_folder() as data, Shop(data, user_port=user, order_port=order, environment=UNTHROTTLED) as shop:
        seed.fill(shop, size)
        clock.say(f"a shop with {size.products:,} products, {size.users:,} users, {size.orders:,} orders")
        yield shop


@contextmanager
def staged(small: Shop, grown: Shop) -> Iterator[suite.Stage]:
    """Bring in the visitors of both shops, and the servers beside them."""
    worlds = traffic.visit(small, seed.SMALL), traffic.visit(grown, seed.GROWN)
    loads, grown_loads = map(traffic.loads, worlds)
    ports = {work: suite.port(worlds[0], work) for work in suite.FLOOR}
    answers = {work: servers.require(servers.current(loads[work], port), port) for work, port in ports.items()}
    floor, yardstick = free_ports()
    with ExitStack() as stack:
        for child, port in (
            (servers.floor(floor, small.data, servers.plan(worlds[0], answers)), floor),
            (servers.yardstick(yardstick, small.data), yardstick),
        ):
            stack.enter_context(servers.running(child, port))
        for work, port in ports.items():
            servers.require_same(work, loads[work], port, floor)
        script = stack.enter_context(limits.pgbench_script(worlds[0], seed.SMALL))
        yield suite.Stage(*worlds, loads, grown_loads, traffic.pages(worlds[1]), floor, yardstick, script)


if __name__ == "__main__":
    main()
