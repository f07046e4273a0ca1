"""`python -m bench` measures the shop beside its limits, `python -m bench compare OTHER` beside another commit.

`python -m bench soak` runs it for an hour."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bench import comparing, customers, floor, machine, memory, report, rounds, shop, start, suite
from bench import soak as soaking
from bench.figures import Table, summary
from bench.wrk import require_wrk
from localshop import ROOT

ROUNDS, SECONDS = 5, 2


@click.group(invoke_without_command=True)
@click.option("--report", "to_docs", is_flag=True, help="Write docs/benchmarks.md and its pictures.")
@click.option("--rounds", "number", default=ROUNDS, show_default=True, help="How often each work is measured.")
@click.option("--seconds", default=SECONDS, show_default=True, help="How long each measurement lasts.")
@click.pass_context
def main(context: click.Context, to_docs: bool, number: int, seconds: int) -> None:
    """Measure the shop beside its limits; exit 0 when everything could be measured, whatever the verdicts."""
    require_wrk()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: stop the servers
    if context.invoked_subcommand:
        return
    facts = machine.facts()
    tables = measure(number, seconds)
    for table in tables:
        click.echo(report.text(table))
    if to_docs:
        report.write(ROOT / "docs", tables, facts)
        click.echo("written: docs/benchmarks.md")
    click.echo(summary(tables))


@main.command()
@click.argument("other", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--rounds", "number", default=ROUNDS, show_default=True, help="How often each work is measured in both.")
@click.option("--seconds", default=3, show_default=True, help="How long each measurement lasts.")
@click.option("--only", default="", help="Measure only works whose name contains this, such as orders.")
def compare(other: Path, number: int, seconds: int, only: str) -> None:
    """Measure this checkout beside OTHER, a working tree of another commit with a .venv of its own."""
    load_before = os.getloadavg()[0]
    figures = comparing.compare(other.resolve(), only, number, seconds)
    click.echo(f"\nMedians (lowest to highest) of {number} rounds of {seconds} s; load before: {load_before:.1f}")
    click.echo(comparing.text(figures))


@main.command()
@click.option("--minutes", default=60, type=click.IntRange(5, 24 * 60), show_default=True)
def soak(minutes: int) -> None:
    """Run the shop at a fifth of its peak with every background job; exit 1 when something grows."""
    sys.exit(not soaking.soak(minutes))


def measure(number: int, seconds: int) -> list[Table]:
    with (
        shop.postgres() as server,
        shop.running(server, "bench") as services,
        shop.running(server, "single", settings={"WORKERS": "1"}) as single,
    ):
        started = list(start.measure(services))
        with staged(services, single, server.folder.parent) as stage:
            results = rounds.run(suite.races(stage), number, seconds)
            suite.audit(services)
            requests = suite.requests(stage, results)
            remembered = list(memory.measure(services, stage.loads, requests))
    return [*suite.tables(results), *suite.others(remembered, started)]


@contextmanager
def staged(services: shop.Shop, single: shop.Shop, folder: Path) -> Iterator[suite.Stage]:
    """Register the customers and start the servers of comparison."""
    registered, answers = customers.register(services), folder / "answers"
    customers.add_terms(services)
    loads = customers.loads(registered) | {customers.PRICED: customers.priced(registered.buyers)}
    floor.record(services, {work: loads[work] for work in suite.FLOOR}, answers)
    with (
        floor.servers("floor", "load()", folder, **{floor.ANSWERS: str(answers)}) as bare,
        floor.servers("yardstick", "app", folder) as yardstick,
    ):
        single_loads = customers.loads(customers.register(single))
        yield suite.Stage(services, loads, bare, yardstick, single, single_loads)


if __name__ == "__main__":
    main()
