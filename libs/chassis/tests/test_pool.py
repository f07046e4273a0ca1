from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from chassis.db.pool import Pool, PoolTimeout
from chassis.settings import Settings


@pytest.fixture
def pool(settings: Settings) -> Iterator[Pool[psycopg.Connection]]:
    pool = Pool(lambda: psycopg.connect(settings.database_url, autocommit=True), 2, wait_seconds=0.05)
    yield pool
    pool.close()


def pid(connection: psycopg.Connection) -> int:
    return connection.info.backend_pid


def test_the_connection_used_last_is_reused_first(pool: Pool[psycopg.Connection]) -> None:
    with pool.connection() as first, pool.connection() as second:
        last = pid(first)
        assert pid(second) != last
    for _ in range(3):
        with pool.connection() as again:
            assert pid(again) == last


def test_a_full_pool_raises_pool_timeout_until_one_is_returned(pool: Pool[psycopg.Connection]) -> None:
    with pool.connection():
        with pool.connection(), pytest.raises(PoolTimeout), pool.connection():
            pass
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_failed_connection_gives_its_slot_back() -> None:
    nowhere = Pool(lambda: psycopg.connect("postgresql://127.0.0.1:1/nowhere"), 1, wait_seconds=0.05)
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError), nowhere.connection():
            pass


@pytest.mark.parametrize("left", ["BEGIN", "SELECT pg_terminate_backend(pg_backend_pid())"])
def test_a_lost_or_unfinished_connection_is_not_reused(pool: Pool[psycopg.Connection], left: str) -> None:
    with pool.connection() as connection:
        spoilt = pid(connection)
        try:
            connection.execute(left)
        except psycopg.OperationalError:
            assert left != "BEGIN"
    with pool.connection() as other:
        assert pid(other) != spoilt
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_connection_past_its_lifetime_is_replaced(settings: Settings) -> None:
    pool = Pool(lambda: psycopg.connect(settings.database_url), 1, wait_seconds=0.05, max_lifetime=0)
    with pool.connection() as first:
        pass
    with pool.connection() as second:
        assert second is not first
    assert first.closed
