"""How long importing 100,000 products takes, beside a bare COPY of the same rows into an indexed table."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import psycopg

from bench.clock import Clock
from bench.figures import Comparison
from localshop.postgres import Postgres, owner_of
from localshop.service import Service
from localshop.shop import Shop
from order_service.catalog.importer import COLUMNS

ROUNDS, PRODUCTS = 5, 100_000
AT_LEAST = 0.3
DATABASE = "bench_import"
BARE = "CREATE TABLE bare (LIKE products INCLUDING ALL) WITH (fillfactor = 70)"
COPY = "COPY bare (id, name, description, category, price_minor, currency, stock) FROM STDIN"
BLOCK = 1 << 20


def measure(shop: Shop, folder: Path, clock: Clock) -> Comparison:
    """Return rows a second, of both."""
    server = shop.postgres
    assert server is not None  # noqa: S101 - the shops of a benchmark bring their own server
    importer = _service(server, shop.order)
    table, rows = _files(folder)
    with psycopg.connect(server.url(DATABASE), autocommit=True) as connection:
        connection.execute(BARE)
        rounds = []
        for number in range(1, ROUNDS + 1):
            connection.execute("TRUNCATE products, bare")
            rounds.append((PRODUCTS / _imported(importer, table), PRODUCTS / _copied(connection, rows)))
            clock.say(f"import {number}/{ROUNDS}: {rounds[-1][0]:,.0f} rows/s, bare COPY {rounds[-1][1]:,.0f} rows/s")
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    ours, bare = zip(*rounds, strict=True)
    return Comparison(f"{PRODUCTS:,} products", "rows/s", ours, bare, AT_LEAST)


def _service(server: Postgres, like: Service) -> Service:
    """Return order-service's command line on a database of its own."""
    server.create_databases(DATABASE)
    service = Service(
        like.name,
        port=like.port,
        database_url=server.url(DATABASE, DATABASE),
        log=like.log,
        environment={},
        migrating={"DATABASE_URL": server.url(DATABASE, owner_of(DATABASE)), "APP_ROLE": DATABASE},
    )
    service.run("migrate")
    return service


def _imported(importer: Service, table: Path) -> float:
    begun = time.perf_counter()
    importer.run("catalog", table)
    return time.perf_counter() - begun


def _copied(connection: psycopg.Connection, rows: Path) -> float:
    begun = time.perf_counter()
    with rows.open("rb") as file, connection.cursor().copy(COPY) as copy:
        while block := file.read(BLOCK):
            copy.write(block)
    return time.perf_counter() - begun


def _files(folder: Path) -> tuple[Path, Path]:
    """Write the same products as the CSV that the import takes, and as COPY takes them."""
    table, rows = folder / "products.csv", folder / "products.copy"
    with table.open("w", newline="") as as_csv, rows.open("w") as as_copy:
        writer = csv.writer(as_csv)
        writer.writerow(COLUMNS)
        for n in range(PRODUCTS):
            texts = [
                f"p{n}",
                f"Lamp of kind {n}",
                f"A lamp of oak and steel, number {n}, made to last",
                f"Room {n % 20}",
            ]
            minor = 500 + n % 9000
            writer.writerow([*texts, f"{minor // 100}.{minor % 100:02}", "EUR", 1000])
            as_copy.write("\t".join([*texts, str(minor), "EUR", "1000"]) + "\n")
    return table, rows
