"""Run the shop of `make up` at a fifth of its peak with every background job, and judge whether it stays flat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import click
import psutil
import psycopg

import order_service.jobs
import user_service.jobs
from bench import wrk
from bench.customers import PRICED, Customers, loads, priced, register, request
from bench.flat import Bound, Limit, Verdict, judge, per_order
from bench.report import aligned
from bench.shop import SERVICES, SETTINGS, catalogue
from bench.wrk import Load
from localshop import Trouble
from localshop.service import Service
from localshop.shop import Shop, default_workers
from localshop.testing import free_ports, fresh_folder

SHARE = 0.2
PEAK_SECONDS, SAMPLE_SECONDS = 5, 30.0
CONNECTIONS = 16
SIGN_IN_SECONDS = 20  # of each SAMPLE_SECONDS: until the sample, the memory of password hashes is released
# What each service is asked for, in turn.
MIX = {
    "order-service": (
        *("GET /products?limit=20", "GET /products/<id>", "GET /products/<id>", "GET /shop", "POST /create_order"),
        *("GET /orders/<id>", "GET /products/<id>", "GET /orders?limit=20", "GET /orders/<id>", PRICED),
    ),
    "user-service": ("GET /profile", "GET /account", "PATCH /profile", "GET /profile", "GET /sessions"),
}
MIXED = 1_000  # requests, which are then repeated
# Growth in an hour that fills a pod of 384 MiB in three days, or opens one file or connection more each half hour.
MEMORY, COUNTED = Limit(an_hour=4, noise=3), Limit(an_hour=2, noise=2)
LOG_BYTES, DATABASE_BYTES, MAIL_BYTES = (
    4_000,
    8_000,
    4_000,
)  # per order, of seven requests and a mail
PAYMENTS = {"PAYMENT_WINDOW_MINUTES": "5", "MOST_UNPAID_ORDERS": "1000", "MOST_UNPAID_UNITS": "100000"}
WEBHOOK = "INSERT INTO webhooks (url, types, secret) VALUES (%s, '{order.placed,order.cancelled}', 'secret')"
# What is due at night, each minute: each run of a task that waits for another one is left out.
PERIODIC = """
INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)
SELECT task, task, task, '{}' FROM unnest(CAST(%s AS text[])) AS task
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""
COUNTS = """
SELECT (SELECT count(*) FROM orders), (SELECT sum(pg_database_size(datname)) FROM pg_database)::bigint,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""


class Sample(NamedTuple):
    """The state of the shop at a moment: memory in MB, threads and open files by part, and what was written."""

    at: float
    memory: Mapping[str, float]
    threads: Mapping[str, float]
    files: Mapping[str, float]
    connections: int
    orders: int
    databases: int
    logs: int
    mails: int


def soak(minutes: int) -> bool:
    """Soak a shop, print the table; return whether everything stayed flat."""
    with soaked_shop() as shop, listener() as url:
        run(shop, "order-service", WEBHOOK, url)
        mixed, sign_ins = mixes(shop)
        samples = list(sampled(shop, pace(mixed, shop), sign_ins, minutes * 60))
    rows = verdicts(samples)
    click.echo(aligned([("", "level", "an hour", "limit", "", "verdict"), *(row.cells() for row in rows)]))
    return all(row.flat for row in rows)


@contextmanager
def soaked_shop() -> Iterator[Shop]:
    """Run what `make up` runs, with unlimited stock."""
    user_port, order_port, mailbox_port = free_ports(3)
    with fresh_folder() as data:
        shop = Shop(
            data,
            user_port=user_port,
            order_port=order_port,
            mailbox_port=mailbox_port,
            environment={**SETTINGS, **PAYMENTS},
            order_workers=default_workers(),
        )
        with shop:
            shop.order.run("catalog", "import", "--stock", "set", catalogue(data))
            yield shop


@contextmanager
def listener() -> Iterator[str]:
    """Serve the endpoint of a webhook, which accepts everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Write no access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def mixes(shop: Shop) -> tuple[list[Load], Load]:
    """Register the customers; return the mixed requests for each service, and a few sign-ins."""
    running = dict(zip(SERVICES, shop.services, strict=True))
    customers: Customers = register(running)
    each = {work: cycle(load.requests) for work, load in loads(customers).items()}
    each[PRICED] = cycle(priced(customers.buyers).requests)
    sign_ins = [request("POST", "/login", body=account) for account in customers.signing_in]
    mixed = [
        Load([next(each[work]) for work in islice(cycle(works), MIXED)], CONNECTIONS, service, may_be_refused=True)
        for service, works in MIX.items()
    ]
    return mixed, Load(sign_ins, 4, "user-service", pause_ms=1000, may_be_refused=True)


def pace(mixed: Sequence[Load], shop: Shop) -> list[Load]:
    """Return the loads at SHARE of order-service's peak, with half as many requests for user-service."""
    peak = wrk.run(mixed[0], shop.order.port, PEAK_SECONDS).rate
    rates = (peak * SHARE, peak * SHARE / 2)
    click.echo(
        f"order-service answers {peak:,.0f} requests/s at most; {rates[0]:,.0f}/s and {rates[1]:,.0f}/s from now on"
    )
    return [
        load._replace(pause_ms=round(1000 * load.connections / rate)) for load, rate in zip(mixed, rates, strict=True)
    ]


def sampled(shop: Shop, paced: Sequence[Load], sign_ins: Load, seconds: int) -> Iterator[Sample]:
    """Send the loads for some seconds and yield a sample each SAMPLE_SECONDS; stop when a part of the shop ends."""
    with ThreadPoolExecutor(len(paced)) as pool, stopping_wrk():
        running = [pool.submit(wrk.run, load, _service(shop, load.service).port, seconds) for load in paced]
        begun = time.monotonic()
        while True:
            hurry(shop)
            wrk.run(sign_ins, shop.user.port, SIGN_IN_SECONDS)
            time.sleep(SAMPLE_SECONDS - SIGN_IN_SECONDS)
            if any(load.done() for load in running):
                break  # without its connections, the shop would seem to shrink
            yield (sample := take(shop, time.monotonic() - begun))
            used = ", ".join(f"{part} {megabytes:.0f}" for part, megabytes in sample.memory.items())
            click.echo(f"{sample.at:6.0f} s  {sample.orders:,} orders; MB: {used}")
        for load, ended in zip(paced, running, strict=True):
            click.echo(f"{load.service}: {ended.result().rate:,.0f} requests/s")


@contextmanager
def stopping_wrk() -> Iterator[None]:
    """End this process's wrk on a failure or Ctrl-C, for whose end the pool would wait."""
    try:
        yield
    except BaseException:
        for child in psutil.Process().children():
            if child.name() == "wrk":
                child.terminate()
        raise


def hurry(shop: Shop) -> None:
    """Let all periodic jobs run, also those of the night."""
    for name, tasks in (("user-service", user_service.jobs.tasks), ("order-service", order_service.jobs.tasks)):
        run(shop, name, PERIODIC, [task.name for task in tasks.by_name.values() if task.cron])


def take(shop: Shop, at: float) -> Sample:
    """Sample the processes in /proc, PostgreSQL and the disk."""
    for part in shop.parts:
        if not part.running:
            raise part.trouble("ended during the soak")
    served = {part.name: part.family() for part in shop.parts if part is not shop.postgres}

    def total(of: Callable[[psutil.Process], float]) -> dict[str, float]:
        return {name: sum(map(of, family)) for name, family in served.items()}

    [(orders, databases, connections)] = run(shop, "order-service", COUNTS)
    return Sample(
        at,
        total(lambda process: float(process.memory_info().rss / 1e6)),
        total(lambda process: float(process.num_threads())),
        total(lambda process: float(process.num_fds())),
        connections,
        orders,
        databases,
        _bytes_below(shop.data / "logs"),
        _bytes_below(shop.data / "mail"),
    )


def verdicts(samples: Sequence[Sample]) -> list[Verdict | Bound]:
    """Judge every figure: flat, or bounded per order."""
    seconds, orders = [sample.at for sample in samples], [float(sample.orders) for sample in samples]
    rows: list[Verdict | Bound] = []
    for part in samples[0].memory:
        rows.append(judge(f"{part}, memory", "MB", seconds, [each.memory[part] for each in samples], MEMORY))
        rows.append(judge(f"{part}, threads", "", seconds, [each.threads[part] for each in samples], COUNTED))
        rows.append(judge(f"{part}, open files", "", seconds, [each.files[part] for each in samples], COUNTED))
    connections = [float(each.connections) for each in samples]
    rows.append(judge("PostgreSQL, connections", "", seconds, connections, COUNTED))
    rows.append(per_order("logs", orders, [each.logs for each in samples], LOG_BYTES))
    rows.append(per_order("databases", orders, [each.databases for each in samples], DATABASE_BYTES))
    rows.append(per_order("mails", orders, [each.mails for each in samples], MAIL_BYTES))
    return rows


def run(shop: Shop, service: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    if shop.postgres is None:
        raise Trouble("a soak needs the embedded PostgreSQL")
    url = shop.postgres.url(service.replace("-", "_"))
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def _service(shop: Shop, name: str) -> Service:
    return dict(zip(SERVICES, shop.services, strict=True))[name]


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
