"""What is compared with what, and the targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench import limits, traffic, wrk
from bench.figures import Comparison, Outcome, Table, brief
from bench.memory import Tired
from bench.rounds import Contender, Race, Results
from bench.servers import current, require
from bench.traffic import World
from bench.wrk import Load

NAMES = {
    "products": "GET /products?limit=20",
    "products_304": "GET /products?limit=20, 304",
    "product": "GET /products/<id>",
    "profile": "GET /profile",
    "order": "GET /orders/<id>",
    "orders": "GET /orders?limit=20",
    "create_order": "POST /create_order, 2 lines",
    "login": "POST /login",
    "hot": "64 buyers, one product",
    "spread": "64 buyers, 1,000 products",
    "own orders": "GET /orders?limit=20",
    "catalogue": "GET /products?limit=20",
}
FLOOR = {
    "products": 0.5,
    "products_304": 0.5,
    "product": 0.6,
    "profile": 0.6,
    "order": 0.6,
    "orders": 0.5,
    "create_order": 0.6,
}
YARDSTICK = {"products": 5.0, "profile": 1.0, "create_order": 1.0}
UNCHANGED, PGBENCH, ARGON2, TAIL, HOT, GROWTH, DEEP = 1.0, 0.45, 0.9, 6.0, 0.5, 1.3, 1.2
GROWING = (*FLOOR, "login")
OF_USERS = ("profile", "login")
SHORT = frozenset({"yardstick", "grown", "page 1", "page 1,000"})


class Stage(NamedTuple):
    """All that takes part: two shops with what they are asked, and the servers beside them."""

    small: World
    grown: World
    loads: Mapping[str, Load]
    grown_loads: Mapping[str, Load]
    pages: Mapping[str, Load]
    floor: int
    yardstick: int
    order_script: Path


def port(world: World, work: str) -> int:
    return world.shop.user.port if work in OF_USERS else world.shop.order.port


def sending(load: Load, to: int) -> Contender:
    """Return what sends a load, after a look at one answer."""

    def send(seconds: int) -> Outcome:
        now = current(load, to)
        require(now, to)
        return wrk.run(now, to, seconds)

    return send


def races(stage: Stage) -> list[Race]:
    return [Race(work, dict(_contenders(stage, work)), SHORT) for work in (*GROWING, "hot")] + [
        Race(work, {page: sending(stage.pages[f"{work} {page}"], port(stage.grown, work)) for page in PAGES}, SHORT)
        for work in ("own orders", "catalogue")
    ]


PAGES = ("page 1", "page 1,000")


def _contenders(stage: Stage, work: str) -> Iterator[tuple[str, Contender]]:
    load = stage.loads[work]
    yield "shop", sending(load, port(stage.small, work))
    if work in FLOOR:
        yield "floor", sending(load, stage.floor)
    if work == "create_order":
        yield "pgbench", partial(limits.pgbench, stage.order_script, stage.small.shop.order.database_url)
    if work == "login":
        yield "argon2", limits.argon2
    if work == "hot":
        yield "spread", sending(stage.loads["spread"], port(stage.small, work))
    if work in YARDSTICK:
        yield "yardstick", sending(load, stage.yardstick)
    if work in GROWING:
        yield "grown", sending(stage.grown_loads[work], port(stage.grown, work))


def tables(results: Results) -> list[Table]:
    return [_limits(results), _latencies(results), _yardstick(results), _hot(results), _growth(results)]


def _against(results: Results, work: str, who: str, target: float, suffix: str = "") -> Comparison:
    return Comparison(NAMES[work] + suffix, "/s", results.rates(work, "shop"), results.rates(work, who), target)


def _limits(results: Results) -> Table:
    rows = [_against(results, work, "floor", target) for work, target in FLOOR.items()]
    lists = results.rates("products_304", "shop"), results.rates("products", "shop")
    rows.insert(2, Comparison("304 against 200", "/s", *lists, UNCHANGED))
    rows.append(_against(results, "create_order", "pgbench", PGBENCH, ", against pgbench"))
    rows.append(_against(results, "login", "argon2", ARGON2, ", against argon2"))
    note = (
        "16 connections. The limit is a bare WSGI callable under the services' own server settings that sends the same "
        "bytes, or runs the same statement; for orders also pgbench with that statement, for signing in argon2 alone, "
        "on all cores."
    )
    return Table("limits", "The shop beside its limits", "shop", "limit", note, rows)


def _latencies(results: Results) -> Table:
    rows = [_tail(results, work, "shop")._replace(remark=_floor_tail(results, work)) for work in (*GROWING, "hot")]
    rows.append(_tail(results, "hot", "spread")._replace(work=NAMES["spread"]))
    note = "Under the same load: what 1 request in 100 waits for, beside what 1 in 2 does."
    return Table("latency", "Latency", "p99", "p50", note, rows)


def _tail(results: Results, work: str, who: str) -> Comparison:
    slow, usual = zip(*((outcome.p99, outcome.p50) for outcome in results.of(work, who)), strict=True)
    return Comparison(NAMES[work], "ms", slow, usual, TAIL, at_least=False)


def _floor_tail(results: Results, work: str) -> str:
    """Return how far the tail of the floor reaches, which has the same server settings."""
    return f" (floor: {brief(_tail(results, work, 'floor').ratio.median)})" if work in FLOOR else ""


def _yardstick(results: Results) -> Table:
    rows = [_against(results, work, "yardstick", target) for work, target in YARDSTICK.items()]
    note = "The first version in ten lines (bench/yardstick.py), from dictionaries, on Flask's development server."
    return Table("yardstick", "The shop beside ten lines of Flask", "shop", "yardstick", note, rows)


def _hot(results: Results) -> Table:
    one, many = results.rates("hot", "shop"), results.rates("hot", "spread")
    note = "64 connections, orders of one line: all for one product, and each for one of a thousand."
    rows = [Comparison("POST /create_order", "/s", one, many, HOT)]
    return Table("hot", "64 buyers of one product", "one product", "1,000 products", note, rows)


def _growth(results: Results) -> Table:
    rows = [
        Comparison(NAMES[work], "/s", results.rates(work, "shop"), results.rates(work, "grown"), GROWTH, at_least=False)
        for work in GROWING
    ]
    rows += [
        Comparison(f"{NAMES[work]}, page 1 and page 1,000", "/s", first, deep, DEEP, at_least=False)
        for work in ("own orders", "catalogue")
        for first, deep in [tuple(results.rates(work, page) for page in PAGES)]
    ]
    note = (
        "A thousand products, accounts and orders, and 100,000 products, 100,000 accounts, 1,000,000 orders: how many "
        "times slower the grown shop is. The last two rows are of the grown shop alone: an own history and the "
        "catalogue, past the page cache."
    )
    return Table("growth", "Growth", "small", "grown", note, rows)


def tired(stage: Stage, results: Results) -> list[Tired]:
    """Return both services with what they have done so far, and what is cheap to ask them."""
    shop, keys = stage.small.shop, Load([traffic.get("/.well-known/jwks.json")])
    of_users = sum(results.requests(work, "shop") for work in OF_USERS)
    of_orders = sum(results.requests(work, "shop") for work in (*FLOOR, "hot") if work not in OF_USERS)
    return [
        Tired(shop.user, of_users, keys),
        Tired(shop.order, of_orders + results.requests("hot", "spread"), stage.loads["products"]),
    ]


def others(
    verified: list[Comparison], remembered: list[Comparison], started: list[Comparison], imported: Comparison
) -> list[Table]:
    """Return the tables of what was not measured by load."""
    return [
        Table("tokens", "Verifying a token", "seen before", "first", "In one process, a thousand tokens.", verified),
        Table("memory", "Memory of a worker", "now", "before", "Resident, after requests of all kinds.", remembered),
        Table("start", "Start", "ready", "bare import", "From launch to /readyz; migrations current.", started),
        Table("import", "Catalogue import", "import", "COPY", "From CSV, and into an indexed table.", [imported]),
    ]
