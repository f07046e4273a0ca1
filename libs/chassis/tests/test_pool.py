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


def test_the_connection_used_last_is_lent_first(pool: Pool[psycopg.Connection]) -> None:
    with pool.connection() as first, pool.connection() as second:
        last = pid(first)
        assert pid(second) != last
    for _ in range(3):
        with pool.connection() as again:
            assert pid(again) == last


def test_no_more_are_lent_than_there_are_until_one_comes_back(pool: Pool[psycopg.Connection]) -> None:
    with pool.connection():
        with pool.connection(), pytest.raises(PoolTimeout), pool.connection():
            pass
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_fails_to_connect_costs_no_place() -> None:
    nowhere = Pool(lambda: psycopg.connect("postgresql://127.0.0.1:1/nowhere"), 1, wait_seconds=0.05)
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError), nowhere.connection():
            pass


@pytest.mark.parametrize("left", ["BEGIN", "SELECT pg_terminate_backend(pg_backend_pid())"])
def test_a_connection_that_was_lost_or_left_in_the_middle_of_something_is_not_lent_again(
    pool: Pool[psycopg.Connection], left: str
) -> None:
    with pool.connection() as connection:
        spoilt = pid(connection)
        try:
            connection.execute(left)
        except psycopg.OperationalError:
            assert left != "BEGIN"
    with pool.connection() as other:
        assert pid(other) != spoilt
        assert other.execute("SELECT 1").fetchone() == (1,)
