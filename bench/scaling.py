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

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx
import psutil
import psycopg

from bench.cgroup import held_to
from localshop.child import Child
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
END, KEY = "\1", "\2"  # of a request in wrk's file; where an idempotency key goes

LUA = r"""
local requests, sent, run = {}, 0, ""
function init(arguments)
   for request in io.open(arguments[1], "rb"):read("*a"):gmatch("([^\1]+)\1") do requests[#requests + 1] = request end
   run = arguments[2]
end
function request()
   sent = sent + 1
   return (requests[sent % #requests + 1]:gsub("\2", run .. "-" .. sent, 1))
end
function done(summary)
   local e = summary.errors
   print(summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout)
end
"""

PRODUCTS = """
INSERT INTO products (id, name, description, category, price_minor, currency, stock)
SELECT 'p' || n, 'Product ' || n, 'Number ' || n || ' of this catalogue.', 'Things', 500 + n, 'EUR', 1000000000
FROM generate_series(1, 1000) AS n
"""


class Contender(NamedTuple):
    """Both services, run in one way."""

    name: str
    processes: int
    user: Service
    order: Service


class Outcome(NamedTuple):
    """One run: requests a second, and the CPU time of each part in microseconds a request."""

    rate: float
    service: float
    pooler: float
    postgres: float


Load = Callable[[Contender], tuple[Service, list[str]]]


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
            connection.execute(PRODUCTS)
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


def post(url: str, body: object, token: str = "") -> dict[str, str]:
    answer = httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"} if token else {})
    return dict(answer.raise_for_status().json())


def customers(shop: Shop) -> list[str]:
    """Return the tokens of as many who have signed in."""
    accounts = [{"username": f"buyer{number}", "password": PASSWORD} for number in range(CUSTOMERS)]
    for account in accounts:
        post(f"{shop.user.url}/register", account)
    return [post(f"{shop.user.url}/login", account)["token"] for account in accounts]


def raw(method: str, path: str, token: str, body: str = "") -> str:
    written = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: {KEY}\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{written if body else ''}"
    return f"{head}\r\n{body}"


def loads(shop: Shop, tokens: list[str]) -> dict[str, Load]:
    """Return what is sent for each work, and to which service."""
    baskets = [json.dumps({"items": [{"product_id": f"p{n}"}, {"product_id": f"p{n + 1}"}]}) for n in range(1, 1000, 7)]
    own = {token: post(f"{shop.order.url}/orders", json.loads(baskets[0]), token)["order_id"] for token in tokens}
    profile = [raw("GET", "/profile", token) for token in tokens]
    order = [raw("GET", f"/orders/{own[token]}", token) for token in tokens]
    placing = [raw("POST", "/orders", tokens[n % CUSTOMERS], basket) for n, basket in enumerate(baskets)]
    return {
        "GET /profile": lambda contender: (contender.user, profile),
        "GET /orders/<id>": lambda contender: (contender.order, order),
        "POST /orders": lambda contender: (contender.order, placing),
    }


def spent(part: Child) -> float:
    """Return the CPU seconds that a part's processes have used so far."""
    used = 0.0
    for process in part.family():
        try:
            used += sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return used


def wrk(port: int, requests: list[str], connections: int, seconds: int) -> tuple[int, float]:
    """Send the requests in turn; return how many were answered in how many seconds. One failure ends it all."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "load.lua").write_text(LUA)
        Path(folder, "requests").write_text("".join(request + END for request in requests), newline="")
        options = ("-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", f"{folder}/load.lua")
        command = ("wrk", *options, f"http://127.0.0.1:{port}", "--", f"{folder}/requests", os.urandom(8).hex())
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answered, microseconds, failed = (int(word) for word in said.split()[-3:])
    if failed or not answered:
        sys.exit(f"{failed} requests failed, {answered} were answered: nothing to measure")
    return answered, microseconds / 1e6


def run(load: Load, contender: Contender, pooler: PgBouncer, postgres: Postgres, seconds: int = SECONDS) -> Outcome:
    service, requests = load(contender)
    parts = (service, pooler, postgres)
    before = [spent(part) for part in parts]
    connections = EACH * contender.processes if SHARE else CONNECTIONS
    answered, took = wrk(service.port, requests, connections, seconds)
    costs = (1e6 * (spent(part) - start) / answered for part, start in zip(parts, before, strict=True))
    return Outcome(answered / took, *costs)


def table(work: str, outcomes: Mapping[str, list[Outcome]]) -> Iterator[str]:
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
        works = loads(shop, customers(shop))
        for load in works.values():
            for each in contenders:
                run(load, each, pooler, postgres, seconds=1)
        outcomes: dict[str, dict[str, list[Outcome]]] = {work: {c.name: [] for c in contenders} for work in works}
        for _ in range(ROUNDS):
            for work, load in works.items():
                for each in random.sample(contenders, len(contenders)):
                    outcomes[work][each.name].append(run(load, each, pooler, postgres))
    print(
        f"{os.cpu_count()} cores, load before {load_before:.1f}; {ROUNDS} rounds of {SECONDS} s; CPU in µs a request\n"
    )
    print("| work | server processes | requests/s (spread) | factor | service | PgBouncer | PostgreSQL |")
    print("|---|---|---|---|---|---|---|")
    for work, by_name in outcomes.items():
        print("\n".join(table(work, by_name)))


if __name__ == "__main__":
    main()
