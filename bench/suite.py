"""The comparisons of `make bench` and their targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import psycopg

from bench import wrk
from bench.customers import HOT, PRICED, SPREAD
from bench.figures import Comparison, Outcome, Table
from bench.rounds import Contender, Races, Results
from bench.shop import SERVICES, STOCK, Shop
from bench.wrk import Load
from localshop import Trouble
from localshop.shop import default_workers

ORDER = "POST /create_order"
FLOOR = {
    "GET /products?limit=20": 0.5,
    "GET /products/<id>": 0.6,
    "GET /profile": 0.6,
    "GET /orders?limit=20": 0.5,
    "GET /orders/<id>": 0.6,
    ORDER: 0.6,
    "GET /sessions": 0.5,
    "PATCH /profile": 0.5,
    "GET /profile/export": 0.5,
}
YARDSTICK = {"GET /products?limit=20": 2.0, "GET /profile": 0.6, ORDER: 0.3}  # it has no database to wait for
WORKERS = ("GET /products/<id>", "GET /orders/<id>", ORDER, "GET /products/<id> during sign-ins")
PAGES = {"GET /shop": "GET /products?limit=20", "GET /account": "GET /profile"}
DURING = {f"{work} during sign-ins": work for work in ("GET /products/<id>", "GET /profile")}
TAIL, HOT_RATE, BURST, PAGE_RATE, PRICED_RATE, MANY_RATE = 6.0, 0.5, 3.0, 0.5, 0.85, 0.9


class Stage(NamedTuple):
    """The shop, its loads, and what it is compared with: by service, and a shop of one worker with its own loads."""

    shop: Shop
    loads: Mapping[str, Load]
    floor: Shop
    yardstick: Shop
    single: Shop
    single_loads: Mapping[str, Load]


def races(stage: Stage) -> Races:
    return {work: dict(_contenders(stage, work)) for work in stage.loads}


def _contenders(stage: Stage, work: str) -> Iterator[tuple[str, Contender]]:
    load = stage.loads[work]
    yield "shop", partial(wrk.send, load, stage.shop)
    if work in FLOOR:
        yield "floor", partial(wrk.send, load, stage.floor)
    if work in YARDSTICK:
        yield "yardstick", partial(wrk.send, load, stage.yardstick)
    if work in WORKERS:
        yield "single", partial(wrk.send, stage.single_loads[work], stage.single)


def requests(stage: Stage, results: Results) -> dict[str, int]:
    """Return the number of requests that each service served in all rounds."""
    answered = dict.fromkeys(SERVICES, 0)
    for work, outcomes in results.items():
        answered[stage.loads[work].service] += sum(outcome.requests for outcome in outcomes["shop"])
    return answered


def audit(shop: Shop) -> None:
    """Raise Trouble unless the units taken from stock equal the units ordered."""
    sold = "SELECT (SELECT sum(%s - stock) FROM products), (SELECT sum(qty) FROM order_lines)"
    with psycopg.connect(shop["order-service"].settings["DATABASE_URL"]) as connection:
        row = connection.execute(sold, [STOCK]).fetchone()
    if row is None or row[0] != row[1] or not row[0]:
        raise Trouble(f"stock and orders disagree: units taken and units ordered are {row}")


def tables(results: Results) -> list[Table]:
    return [
        _limits(results),
        _latencies(results),
        _yardstick(results),
        _workers(results),
        _pages(results),
        _priced(results),
        _hot(results),
        _sign_ins(results),
    ]


def _rates(results: Results, work: str, who: str) -> list[float]:
    return [outcome.rate for outcome in results[work][who]]


def _against(results: Results, work: str, who: str, target: float) -> Comparison:
    return Comparison(work, "/s", _rates(results, work, "shop"), _rates(results, work, who), target)


def _limits(results: Results) -> Table:
    rows = [_against(results, work, "floor", target) for work, target in FLOOR.items()]
    note = (
        "16 connections; an order has two lines and a new idempotency key. The limit is a bare WSGI callable under the "
        "same server with the same settings: it runs the same statement, none for the product list, and sends the same "
        "bytes."
    )
    return Table("limits", "The shop beside its limits", "shop", "limit", note, rows)


def _latencies(results: Results) -> Table:
    rows = [_tail(work, results[work]["shop"]) for work in (*FLOOR, HOT, SPREAD)]
    note = "The 99th percentile of the latency beside the median, under the loads of the other tables."
    return Table("latency", "Latency", "p99", "p50", note, rows)


def _tail(work: str, outcomes: Sequence[Outcome]) -> Comparison:
    slow, usual = [outcome.p99 for outcome in outcomes], [outcome.p50 for outcome in outcomes]
    return Comparison(work, "ms", slow, usual, TAIL, at_least=False)


def _yardstick(results: Results) -> Table:
    rows = [_against(results, work, "yardstick", target) for work, target in YARDSTICK.items()]
    note = (
        "`bench/yardstick.py` is a minimal Flask application that keeps its data in dictionaries, without database, "
        "tokens and validation, under the same server with the same workers and threads."
    )
    return Table("yardstick", "The shop beside ten lines of Flask", "shop", "yardstick", note, rows)


def _workers(results: Results) -> Table:
    rows = [_against(results, work, "single", MANY_RATE) for work in WORKERS]
    note = (
        f"order-service with a worker for each core ({default_workers()}), as `make up` starts it, and with one; "
        "user-service has one in both. wrk and PostgreSQL share the cores with them."
    )
    return Table("workers", "A worker for each core, and one", "workers", "one worker", note, rows)


def _pages(results: Results) -> Table:
    rows = [
        Comparison(page, "/s", _rates(results, page, "shop"), _rates(results, route, "shop"), PAGE_RATE)
        for page, route in PAGES.items()
    ]
    note = (
        "A page beside the JSON route that reads the same: the list of products for a visitor without cookies, which "
        "comes from memory, and the profile for a signed-in customer, which is rendered each time."
    )
    return Table("pages", "Pages beside JSON", "page", "JSON", note, rows)


def _priced(results: Results) -> Table:
    rows = [Comparison(ORDER, "/s", _rates(results, PRICED, "shop"), _rates(results, ORDER, "shop"), PRICED_RATE)]
    note = "The same baskets with an address, an email, a shipping method and tax, and without them."
    return Table("priced", "Placing with address, shipping and tax", "with", "without", note, rows)


def _hot(results: Results) -> Table:
    rows = [Comparison(ORDER, "/s", _rates(results, HOT, "shop"), _rates(results, SPREAD, "shop"), HOT_RATE)]
    note = "64 connections, orders of one line: all for one product, and each for one of 200."
    return Table("hot", "64 buyers of one product", "one product", "200 products", note, rows)


def _sign_ins(results: Results) -> Table:
    rows = [_burst(f"{quiet}, p99", results[busy]["shop"], results[quiet]["shop"]) for busy, quiet in DURING.items()]
    note = "24 clients sign in all the time, each 200 ms after its last answer; some are refused with 503."
    return Table("sign-ins", "Reads during a burst of sign-ins", "during", "before", note, rows)


def _burst(name: str, during: Sequence[Outcome], before: Sequence[Outcome]) -> Comparison:
    slow, usual = ([outcome.p99 for outcome in outcomes] for outcomes in (during, before))
    return Comparison(name, "ms", slow, usual, BURST, at_least=False)


def others(remembered: list[Comparison], started: list[Comparison]) -> list[Table]:
    """Return the tables of memory and start, which are not measured in rounds."""
    return [
        Table("memory", "Memory of a worker", "after", "earlier", "Resident, after requests of all kinds.", remembered),
        Table("start", "Start", "ready", "bare import", "From launch to /readyz; migrations current.", started),
    ]
