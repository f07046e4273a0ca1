"""Migrate tables of a million rows while they are read and written: nobody waits for longer than the lock timeout."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from alembic.script import ScriptDirectory

import order_service
import user_service
from chassis.db import migrations
from chassis.testing.postgres import fresh_database

ROWS = 1_000_000
LOCK_SECONDS = float(migrations.LOCK_TIMEOUT.removesuffix("s"))
SAMPLE_SECONDS = 0.02
LONGEST = "SELECT max(extract(epoch FROM clock_timestamp() - waitstart))::float FROM pg_locks WHERE NOT granted"
ORDER_ROWS = (
    """
    INSERT INTO products (id, name, description, category, price_minor, currency, stock)
    SELECT 'p' || n, 'Lamp ' || n, 'A lamp of oak and steel, number ' || n || ' of its kind', 'Lamps', n, 'EUR', 1000000
    FROM generate_series(1, {rows}) AS n
    """,
    """
    INSERT INTO orders (id, buyer_id, status, currency, total_minor, placed_at, history)
    SELECT uuidv7(), 'u' || n % 10000, 'placed', 'EUR', 1000, now(),
        jsonb_build_array(jsonb_build_object('status', 'placed', 'at', now()))
    FROM generate_series(1, {rows}) AS n
    """,
    """
    INSERT INTO order_lines (order_id, line, product_id, name, unit_price_minor, qty)
    SELECT id, 1, 'p1', 'Lamp', 500, 2 FROM orders
    """,
)
USER_ROWS = (
    """
    INSERT INTO users (username_digest, username, password_hash, email, email_key)
    SELECT sha256(n::text::bytea), 'user' || n, 'hash', n || '@shop.example', n || '@shop.example'
    FROM generate_series(1, {rows}) AS n
    """,
    "INSERT INTO sessions (user_id, expires_at) SELECT id, now() + interval '1 day' FROM users",
)
# What each release's statements do to the locks, in as few columns as the first migration has.
PLACE = """
WITH shelf AS (SELECT id FROM products WHERE id IN ('p7', 'p8') ORDER BY id FOR NO KEY UPDATE),
o AS (
    INSERT INTO orders (id, buyer_id, status, currency, total_minor, placed_at, history)
    SELECT uuidv7(), 'u7', 'placed', 'EUR', 1000, now(), '[{"status": "placed", "at": "2026-01-01T00:00:00Z"}]'
    RETURNING id
),
written AS (
    INSERT INTO order_lines (order_id, line, product_id, name, unit_price_minor, qty)
    SELECT o.id, row_number() OVER (), shelf.id, 'Lamp', 500, 1 FROM o CROSS JOIN shelf
)
UPDATE products SET stock = stock - 1 FROM shelf, o WHERE products.id = shelf.id
"""
READ = """
SELECT o.id, l.name, p.name FROM (SELECT id FROM orders WHERE buyer_id = 'u7' ORDER BY id DESC LIMIT 20) AS o
JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
"""
SIGN_IN = """
INSERT INTO sessions (user_id, expires_at)
SELECT id, now() + interval '1 day' FROM users WHERE username_digest = sha256('7') FOR NO KEY UPDATE
"""
SIGN_OUT = "UPDATE sessions SET ended_at = now() WHERE id = (SELECT max(id) FROM sessions WHERE ended_at IS NULL)"
CHANGE = "UPDATE users SET phone = '1' WHERE username_digest = sha256('8')"


class Case(NamedTuple):
    scripts: Path
    rows: Sequence[str]
    statements: Sequence[str]


CASES = {
    "order-service": Case(order_service.MIGRATIONS, ORDER_ROWS, (PLACE, READ)),
    "user-service": Case(user_service.MIGRATIONS, USER_ROWS, (SIGN_IN, SIGN_OUT, CHANGE)),
}


class Traffic:
    """Clients that repeat a statement each, and a sampler of the waits for locks: `with Traffic(url, ...):`."""

    def __init__(self, url: str, statements: Sequence[str]) -> None:
        self.longest_wait = 0.0
        self.failures: list[str] = []
        self.counts = dict.fromkeys(statements, 0)
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(each,)) for each in statements]
        self._threads.append(threading.Thread(target=self._sample))

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        while not all(self.counts.values()) and not self.failures:
            time.sleep(SAMPLE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(SAMPLE_SECONDS):
                try:
                    connection.execute(statement.encode())
                except psycopg.Error as failure:
                    self.failures.append(repr(failure))
                self.counts[statement] += 1

    def _sample(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.wait(SAMPLE_SECONDS):
                (longest,) = connection.execute(LONGEST).fetchone() or (None,)
                self.longest_wait = max(self.longest_wait, longest or 0.0)


@contextmanager
def large_database(service: str) -> Iterator[str]:
    """Yield the URL of a database that the first migration made, with a million rows in each table."""
    case = CASES[service]
    with fresh_database(f"{service.partition('-')[0]}_large") as url:
        migrations.upgrade(url, case.scripts, revisions(case.scripts)[0])
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in case.rows:
                connection.execute(statement.replace("{rows}", str(ROWS)).encode())
            connection.execute("VACUUM ANALYZE")
        yield url


def revisions(scripts: Path) -> list[str]:
    return [script.revision for script in reversed(list(ScriptDirectory(str(scripts)).walk_revisions()))]


@pytest.mark.budget(600)
@pytest.mark.parametrize("service", CASES)
def test_no_statement_waits_longer_than_the_lock_timeout(service: str) -> None:
    scripts, _, statements = CASES[service]
    waits = {}
    with large_database(service) as url:
        for revision in revisions(scripts)[1:]:
            with Traffic(url, statements) as traffic:
                migrations.upgrade(url, scripts, revision)
            assert traffic.failures == [], revision
            waits[revision] = round(traffic.longest_wait, 2)
    print(waits)
    assert {revision: wait for revision, wait in waits.items() if wait > LOCK_SECONDS} == {}
