"""The primary database is killed, and its synchronous standby takes over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from chaos.environment import Environment
from chaos.report import Outcome
from localshop.child import Child
from localshop.postgres import BIN, Postgres, account_for, make_private_folder
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


@pytest.fixture
def pair(outcomes: list[Outcome]) -> Iterator[tuple[Environment, Postgres]]:
    """Run a shop on a primary; return it with the synchronous standby."""
    user_port, order_port = free_ports()
    with fresh_folder() as data, Shop(data, user_port=user_port, order_port=order_port) as shop:
        assert shop.postgres
        standby = standby_of(shop.postgres, data / "standby")
        try:
            for service in shop.services:
                service.database_url = either(shop.postgres, standby, service.service.replace("-", "_"))
                service.environment = {**(service.environment or {}), "DATABASE_URL": service.database_url}
                service.stop()
                service.start()
            yield Environment(shop, outcomes), standby
        finally:
            standby.stop()


def standby_of(primary: Postgres, folder: Path) -> Postgres:
    """Copy the primary and follow it; from then on its commits wait for the copy."""
    account, standby = account_for(folder), Postgres(folder, primary.log.with_name("standby.log"))
    make_private_folder(folder, account)
    copy = (BIN / "pg_basebackup", "-D", folder, "-d", primary.url("postgres"), "-R", "--checkpoint=fast")
    Child("pg_basebackup", copy, log=standby.log).complete(account)
    (folder / ".s.PGSQL.5432.lock").unlink(missing_ok=True)  # of the primary's socket, which is in its folder
    standby.start()
    with psycopg.connect(primary.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
        deadline = time.monotonic() + 30
        while connection.execute(SYNCHRONOUS).fetchone() != (1,):
            assert time.monotonic() < deadline, "the standby does not follow"
            time.sleep(0.05)
    return standby


def either(first: Postgres, second: Postgres, role: str) -> str:
    """Return the URL that leads to the one of both that takes writes."""
    hosts = quote(f"{first.sockets},{second.sockets}")
    return f"postgresql://{role}@/{role}?host={hosts}&port=5432&target_session_attrs=read-write"


@pytest.mark.budget(180)
def test_standby_takes_over_without_a_lost_order(pair: tuple[Environment, Postgres]) -> None:
    environment, standby = pair
    primary, invariants = environment.shop.postgres, environment.invariants()
    assert primary
    with environment.load(8) as load:
        environment.tend(4)
        primary.kill()
        environment.shop.postgres = standby  # the old primary must not come back
        time.sleep(1)
        with psycopg.connect(standby.url("postgres"), autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote()").fetchone() == (True,)
        environment.mark()
        promoted = time.monotonic()
        environment.settle()
        environment.tend(4)
    assert load.orders_after(promoted)
    assert {heard.status for heard in load.heard if heard.status >= 500} <= {503}
    environment.close("kill -9 of the primary, promotion", invariants, load)
