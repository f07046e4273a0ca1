"""Migrations give up when they do not get a lock in time, and succeed when they are run again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

import order_service
from chassis.db import migrations
from chassis.testing.postgres import fresh_database

PLACE = """
INSERT INTO orders (id, buyer_id, status, currency, total_minor, placed_at, history)
VALUES (uuidv7(), 'u', 'placed', 'EUR', 1, now(), '[]')
"""
UNFINISHED = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "1s")
    with fresh_database("order_locks") as url:
        yield url


def upgrade(url: str, revision: str = "head") -> str | None:
    return migrations.upgrade(url, order_service.MIGRATIONS, revision)


def test_migration_gives_up_and_lets_orders_through_that_waited(url: str) -> None:
    upgrade(url, "0008")
    with psycopg.connect(url) as reader, psycopg.connect(url, autocommit=True) as buyer:
        reader.execute("SELECT FROM orders")
        with ThreadPoolExecutor(1) as pool:
            failing = pool.submit(upgrade, url)
            while not buyer.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                assert not failing.done()
            buyer.execute(PLACE)  # behind the migration, which waits for the reader
            with pytest.raises(OperationalError, match="lock timeout"):
                failing.result()
        assert buyer.execute("SELECT version_num FROM alembic_version").fetchone() == ("0008",)
    assert upgrade(url) == migrations.head(order_service.MIGRATIONS)


def test_index_of_an_attempt_that_failed_is_built_again(url: str) -> None:
    upgrade(url, "0008_3")
    with psycopg.connect(url) as buyer:
        buyer.execute(PLACE)
        with pytest.raises(OperationalError, match="lock timeout"):
            upgrade(url)
        assert buyer.execute(UNFINISHED).fetchall() == [("orders_by_number",)]
    upgrade(url)
    with psycopg.connect(url) as connection:
        assert connection.execute(UNFINISHED).fetchall() == []


def test_two_processes_migrate_at_once_without_a_deadlock(url: str) -> None:
    together = threading.Barrier(2)

    def migrate() -> str | None:
        together.wait()
        return upgrade(url)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(migrate) for _ in range(2)]
    assert [one.result() for one in both] == [migrations.head(order_service.MIGRATIONS)] * 2
