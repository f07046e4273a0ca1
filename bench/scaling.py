"""What more server processes bring, and what a pooler costs: `.venv/bin/python -m bench.scaling`.

Both services with 1, 2 and 4 processes each, on one durable PostgreSQL behind one PgBouncer in transaction mode; and
with 2 processes each without prepared statements, and without the pooler. All run at once and take turns under wrk's
load, round after round, so that what disturbs one disturbs all. Beside the rates stands the CPU time that a request
cost in the service, in PgBouncer and in PostgreSQL: it says what the rates cannot where wrk, PostgreSQL and servers
share few cores. About five minutes.

Environment: ROUNDS; SECONDS, of one run; SHARE, of a core, that each server process is held to by a cgroup (as root on
Linux) and then visited by EACH connections. With SHARE=0.1 the servers are the narrow place even on few cores, and the
factor is what more cores would show.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import NamedTuple

import httpx
import psycopg

from bench import wrk
from bench.cgroup import held_to
from bench.cpu import spent
from bench.growth_model import CATALOGUE
from bench.traffic import get, post
from bench.wrk import KEY, Load
from localshop.pgbouncer import PgBouncer, keeps_prepared_statements
from localshop.postgres import Postgres
from localshop.service import Service
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "3"))
SHARE = float(os.environ.get("SHARE", "0"))
CONNECTIONS, EACH = 32, 8  # in all; of each process, where processes are held to a share
CUSTOMERS = 16
PASSWORD = "violet-harbour-42"
DATABASES = ("user_service", "order_service")


class Contender(NamedTuple):
    """Both services, run in one way."""

    name: str
    processes: int
    user: Service
    order: Service


class Run(NamedTuple):
    """One run: requests a second, and the CPU time of each part in microseconds a request."""

    rate: float
    service: float
    pooler: float
    postgres: float


Work = Callable[[Contender], tuple[Service, list[str]]]


@contextmanager
def running() -> Iterator[tuple[Shop, Postgres, PgBouncer, list[Contender]]]:
    """Run a shop, its PostgreSQL among it, a pooler, and all contenders."""
    with ExitStack() as stack:
        data = stack.enter_context(fresh_folder())
        shop = stack.enter_context(Shop(data, user_port=free_ports()[0], order_port=free_ports()[0]))
        assert shop.postgres is not None  # noqa: S101 - it was given no other
        urls = {name: shop.postgres.url(name, name) for name in DATABASES}
        pooler = PgBouncer(data / "pgbouncer", port=free_ports()[0], databases=urls)
        stack.callback(pooler.stop)
        pooler.start()
        with psycopg.connect(shop.postgres.url("order_service"), autocommit=True) as connection:
            connection.execute("TRUNCATE products")
            connection.execute(CATALOGUE, [1000])
        contenders = [contender(shop, *way) for way in ways(urls, {name: pooler.url(name) for name in DATABASES})]
        for each in contenders:
            for service in (each.user, each.order):
                stack.callback(service.stop)
                service.start()
                stack.enter_context(held_to(SHARE * each.processes, service))
        yield shop, shop.postgres, pooler, contenders


def ways(direct: Mapping[str, str], pooled: Mapping[str, str]) -> Iterator[tuple[str, int, Mapping[str, str], bool]]:
    kept = keeps_prepared_statements()
    for processes in (1, 2, 4):
        yield f"pooled, {processes}", processes, pooled, kept
    if kept:
        yield "pooled, 2, unprepared", 2, pooled, False
    yield "direct, 2", 2, direct, True


def contender(shop: Shop, name: str, processes: int, urls: Mapping[str, str], prepared: bool) -> Contender:
    settings = {
        "WORKERS": str(processes),
        "DATABASE_PREPARED_STATEMENTS": str(prepared).lower(),
        "LOG_LEVEL": "WARNING",
    }
    user, order = (
        service.twin(port, through=urls[database], **settings)
        for service, port, database in zip(shop.services, free_ports(), DATABASES, strict=True)
    )
    return Contender(name, processes, user, order)


def said(url: str, body: object, token: str = "") -> dict[str, str]:
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"} if token else {})
    return dict(answer.raise_for_status().json())


def customers(shop: Shop) -> list[str]:
    """Return the tokens of as many who have signed in."""
    accounts = [{"username": f"buyer{number}", "password": PASSWORD} for number in range(CUSTOMERS)]
    for account in accounts:
        said(f"{shop.user.url}/register", account)
    return [said(f"{shop.user.url}/login", account)["token"] for account in accounts]


def works(shop: Shop, tokens: list[str]) -> dict[str, Work]:
    """Return what is sent for each work, and to which service."""
    baskets = [{"items": [{"product_id": f"p{n}"}, {"product_id": f"p{n + 1}"}]} for n in range(1, 1000, 7)]
    signed = [f"Bearer {token}" for token in tokens]
    own = [said(f"{shop.order.url}/orders", baskets[0], token)["order_id"] for token in tokens]
    profile = [get("/profile", Authorization=bearer) for bearer in signed]
    order = [get(f"/orders/{key}", Authorization=bearer) for key, bearer in zip(own, signed, strict=True)]
    placing = [
        post("/orders", basket, Authorization=signed[n % CUSTOMERS], Idempotency_Key=KEY)
        for n, basket in enumerate(baskets)
    ]
    return {
        "GET /profile": lambda contender: (contender.user, profile),
        "GET /orders/<id>": lambda contender: (contender.order, order),
        "POST /orders": lambda contender: (contender.order, placing),
    }


def run(work: Work, contender: Contender, pooler: PgBouncer, postgres: Postgres, seconds: int = SECONDS) -> Run:
    service, requests = work(contender)
    parts = (service, pooler, postgres)
    before = [spent(part) for part in parts]
    connections = EACH * contender.processes if SHARE else CONNECTIONS
    outcome = wrk.run(Load(requests, connections=connections), service.port, seconds)
    costs = (1e6 * (spent(part) - start) / outcome.requests for part, start in zip(parts, before, strict=True))
    return Run(outcome.rate, *costs)


def table(work: str, outcomes: Mapping[str, list[Run]]) -> Iterator[str]:
    """Yield the lines of a table; factors are of each round for itself, against the first contender."""
    first = next(iter(outcomes.values()))
    for name, rounds in outcomes.items():
        rates = [outcome.rate for outcome in rounds]
        factor = median(ours.rate / theirs.rate for ours, theirs in zip(rounds, first, strict=True))
        costs = (median(getattr(outcome, part) for outcome in rounds) for part in ("service", "pooler", "postgres"))
        spread = f"{median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"
        yield f"| {work} | {name} | {spread} | {factor:.2f} | " + " | ".join(f"{cost:.0f}" for cost in costs) + " |"


def main() -> None:
    load_before = os.getloadavg()[0]
    with running() as (shop, postgres, pooler, contenders):
        by_name = works(shop, customers(shop))
        for work in by_name.values():
            for each in contenders:
                run(work, each, pooler, postgres, seconds=1)
        outcomes: dict[str, dict[str, list[Run]]] = {name: {c.name: [] for c in contenders} for name in by_name}
        for _ in range(ROUNDS):
            for name, work in by_name.items():
                for each in random.sample(contenders, len(contenders)):
                    outcomes[name][each.name].append(run(work, each, pooler, postgres))
    print(
        f"{os.cpu_count()} cores, load before {load_before:.1f}; {ROUNDS} rounds of {SECONDS} s; CPU in µs a request\n"
    )
    print("| work | server processes | requests/s (spread) | factor | service | PgBouncer | PostgreSQL |")
    print("|---|---|---|---|---|---|---|")
    for name, of_each in outcomes.items():
        print("\n".join(table(name, of_each)))


if __name__ == "__main__":
    main()
