"""What an order costs PostgreSQL as the shop grows, and what ten million a day would.

`.venv/bin/python -m bench.growth_model`, for about ten minutes.

A durable PostgreSQL holds databases of order-service's own schema with each of SIZES orders, seeded by SQL as the
service would have written them over the last year. In each in turn, round after round, orders of two lines with an
idempotency key are placed, read and listed by the service's own code. Measured are the CPU time of all of PostgreSQL's
processes, the WAL, and the bytes on disk. CPU is fitted as a + b * ln(orders) by least squares and read off where
nobody can measure. SIZES (comma separated), ORDERS (placed at a time) and ROUNDS are environment variables.
"""

from __future__ import annotations

import hashlib
import os
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

import psycopg

from bench.cpu import spent
from bench.growth_costs import Cost, Cpu, Disk, Fit, whole_pages
from chassis.context import Caller
from chassis.db import migrations
from chassis.db.database import Database
from localshop.postgres import Postgres, owner_of
from localshop.testing import fresh_folder
from order_service import MIGRATIONS
from order_service.orders import actions, queries

SIZES = [int(size) for size in os.environ.get("SIZES", "10000,30000,100000,300000,1000000").split(",")]
ORDERS = int(os.environ.get("ORDERS", "1000"))
ROUNDS = int(os.environ.get("ROUNDS", "7"))
CLIENTS = 8
PER_BUYER = 20
PRODUCTS = 1000
SHIP_TO = {"recipient": "Grace Hopper", "street": "1 Main St", "city": "Oxford", "postal_code": "1", "country": "GB"}

DAILY = 10_000_000
PEAK = 5  # the busiest second of the year against the mean
READS = 20  # of single orders, for each that is placed
BETWEEN_CHECKPOINTS = 900 * DAILY / 86_400  # orders, at checkpoint_timeout = 15min
PAGE_IN_WAL = 6000  # a leaf of an index filled at random is two thirds full, and the hole is left out

CATALOGUE = """
INSERT INTO products (id, name, description, category, price_minor, currency, stock)
SELECT 'p' || n, 'Product ' || n, 'Number ' || n || ' of this catalogue.', 'Things', 500 + n, 'EUR', 1000000000
FROM generate_series(1, %s) AS n
"""
# What has been placed through the service first is what all others look like.
SEED = """
INSERT INTO orders (id, buyer_id, buyer_name, status, currency, total_minor, ship_to, placed_at, history,
                    idempotency_key, fingerprint, receipt)
SELECT uuidv7(ago), 'u-' || md5(floor(random() * %(buyers)s)::text), buyer_name, status, currency, total_minor, ship_to,
       now() + ago, history, gen_random_uuid()::text, fingerprint, receipt
FROM (SELECT * FROM orders ORDER BY id LIMIT 1) AS first,
     LATERAL (SELECT (n - %(size)s) * interval '1 year' / %(size)s AS ago
              FROM generate_series(2, %(size)s) AS n) AS moments
"""
SEED_LINES = """
INSERT INTO order_lines (order_id, line, product_id, name, unit_price_minor, qty)
SELECT id, line, product_id, name, unit_price_minor, qty
FROM orders, (SELECT * FROM order_lines WHERE order_id = (SELECT order_id FROM order_lines LIMIT 1)) AS first
WHERE NOT EXISTS (SELECT FROM order_lines WHERE order_id = id) ORDER BY id, line
"""
SOME_ORDERS = "SELECT 'o-' || replace(id::text, '-', ''), buyer_id FROM orders ORDER BY random() LIMIT %s"
BYTES = """
SELECT pg_table_size('orders') + pg_table_size('order_lines') AS tables,
       pg_indexes_size('orders') + pg_indexes_size('order_lines') AS indexes,
       pg_relation_size('orders_by_buyer') AS by_buyer,
       pg_relation_size('orders_one_per_idempotency_key') AS by_key
"""


class Ledger:
    """An order-service's database with so many orders."""

    def __init__(self, postgres: Postgres, size: int) -> None:
        name = f"orders_{size}"
        postgres.create_databases(name)
        migrations.upgrade(postgres.url(name, owner_of(name)), MIGRATIONS, app_role=name)
        self.size = size
        self._postgres = postgres
        self._db = Database(postgres.url(name, name))
        self._operator = psycopg.connect(postgres.url(name), autocommit=True)
        self._seed()
        tables, indexes, by_buyer, by_key = (float(value) / size for value in self.ask(BYTES)[0])
        self.disk = Disk(tables, indexes, by_buyer, by_key)
        self._orders = self.ask(SOME_ORDERS, [ORDERS])

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        return self._operator.execute(query, values).fetchall()

    def _seed(self) -> None:
        self._operator.execute(CATALOGUE, [PRODUCTS])
        self.place(self.buyer())
        self._operator.execute("SET session_replication_role = replica")  # no foreign key is asked a million times
        self._operator.execute(SEED, {"buyers": self.size // PER_BUYER, "size": self.size})
        self._operator.execute(SEED_LINES)
        self._operator.execute("RESET session_replication_role")
        self._operator.execute("VACUUM ANALYZE")

    def buyer(self) -> Caller:
        digest = hashlib.md5(str(random.randrange(self.size // PER_BUYER)).encode(), usedforsecurity=False).hexdigest()  # noqa: S311
        return Caller(f"u-{digest}", "grace", "s-1")

    def place(self, buyer: Caller) -> None:
        first, second = random.sample(range(1, PRODUCTS + 1), 2)
        basket, key = {f"p{first}": 1, f"p{second}": 2}, str(uuid.uuid4())
        actions.place_order(self._db, buyer=buyer, basket=basket, ship_to=SHIP_TO, idempotency_key=key)

    def read(self, order: tuple[str, str]) -> None:
        queries.get_order(self._db, order_id=order[0], buyer_id=order[1])

    def page(self, buyer: Caller) -> None:
        queries.list_orders(self._db, buyer_id=buyer.user_id, status=None, limit=20, after=None)

    def write_full_pages(self, value: bool) -> None:
        """Have the WAL hold each page whole that is touched first since the checkpoint made here, or not."""
        self._operator.execute(f"ALTER SYSTEM SET full_page_writes = {'on' if value else 'off'}")
        self._operator.execute("SELECT pg_reload_conf()")
        self._operator.execute("CHECKPOINT")

    def cpu(self) -> Cpu:
        """Measure one round, in caches that this database has just filled."""
        buyers = self.buyers()
        self._spend(self.place, buyers[: ORDERS // 4])
        self._spend(self.read, self._orders)
        self._spend(self.page, buyers)
        place = self._spend(self.place, buyers)
        return Cpu(place, self._spend(self.read, self._orders * 4), self._spend(self.page, buyers * 2))

    def _spend(self, deed: Callable[[Any], None], subjects: list[Any]) -> float:
        before = spent(self._postgres)
        in_parallel(deed, subjects)
        return 1e6 * (spent(self._postgres) - before) / len(subjects)

    def wal(self) -> float:
        """Return how many bytes of WAL an order is."""
        ((before,),) = self.ask("SELECT pg_current_wal_lsn()")
        in_parallel(self.place, self.buyers())
        ((written,),) = self.ask("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", [before])
        return float(written) / ORDERS

    def buyers(self) -> list[Caller]:
        return [self.buyer() for _ in range(ORDERS)]


def in_parallel(deed: Callable[[Any], None], subjects: list[Any]) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in pool.map(deed, subjects):
            pass


def finish(ledger: Ledger, rounds: list[Cpu]) -> Cost:
    """Return what the rounds come to, after measuring the WAL."""
    ledger.write_full_pages(False)
    wal = ledger.wal()
    ledger.write_full_pages(True)
    half_way = ledger.size + ORDERS * len(rounds) * 5 // 8
    return Cost(half_way, Cpu(*(median(costs) for costs in zip(*rounds, strict=True))), wal, ledger.wal(), ledger.disk)


@contextmanager
def server() -> Iterator[Postgres]:
    with fresh_folder() as data:
        data.mkdir()
        postgres = Postgres(data / "postgres", data / "postgres.log")
        try:
            postgres.start()
            yield postgres
        finally:
            postgres.kill()


def show(costs: list[Cost]) -> None:
    print("| orders | place, µs | read | list of 20 | WAL, bytes | with full pages | foretold | tables | indexes |")
    print("|---|---|---|---|---|---|---|---|---|")
    for c in costs:
        foretold = c.wal + PAGE_IN_WAL * sum(whole_pages(index, c.orders, ORDERS) for index in c.disk[2:])
        figures = (*c.cpu, c.wal, c.wal_full, foretold, c.disk.tables, c.disk.indexes)
        print(f"| {c.orders:,} | " + " | ".join(f"{figure:,.0f}" for figure in figures) + " |")


def foretell(costs: list[Cost]) -> None:
    fits = {what: Fit.of(costs, what) for what in Cpu._fields}
    for what, fit in fits.items():
        print(f"{what}: {fit.a:.0f} + {fit.b:.1f} * ln(orders) µs")
    last, peak = costs[-1], PEAK * DAILY / 86_400
    print(f"\n{DAILY:,} a day: {DAILY / 86_400:.0f}/s, at the peak {peak:.0f}/s and {READS} reads for each\n")
    print("| orders kept | place, µs | read | cores at the peak | WAL, bytes an order | MB/s at the peak | disk, TB |")
    print("|---|---|---|---|---|---|---|")
    for days in (1, 30, 365):
        kept = float(days * DAILY)
        place, read = fits["place"].at(kept), fits["read"].at(kept)
        whole = sum(whole_pages(index, kept, BETWEEN_CHECKPOINTS) for index in last.disk[2:])
        wal, disk = last.wal + PAGE_IN_WAL * whole, (last.disk.tables + last.disk.indexes) * kept / 1e12
        cores = peak * (place + READS * read) / 1e6
        print(f"| {days} days | {place:.0f} | {read:.0f} | {cores:.1f} | {wal:,.0f}", end=" | ")
        print(f"{wal * peak / 1e6:.1f} | {disk:.2f} |")


def main() -> None:
    with server() as postgres:
        ledgers = [Ledger(postgres, size) for size in SIZES]
        rounds = [[ledger.cpu() for ledger in ledgers] for _ in range(ROUNDS)]
        costs = [finish(ledger, list(own)) for ledger, own in zip(ledgers, zip(*rounds, strict=True), strict=True)]
    print(f"{ROUNDS} rounds of {ORDERS} orders by {CLIENTS} clients, medians; CPU of all PostgreSQL processes\n")
    show(costs)
    print(f"\nby_buyer {costs[-1].disk.by_buyer:.0f}, by_key {costs[-1].disk.by_key:.0f} bytes an order\n")
    foretell(costs)


if __name__ == "__main__":
    main()
