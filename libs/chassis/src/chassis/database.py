"""PostgreSQL: one engine per process, one AUTOCOMMIT statement per request where one statement is enough.

A statement that the server does not answer in time is given up on this side too, so that a paused
database costs a request its deadline and never a thread; those that come after hear so at once.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from flask import Flask, Response, current_app
from psycopg.abc import PQGen
from sqlalchemy import Connection, Engine, Executable, Row, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.breaker import CircuitBreaker
from chassis.errors import Problem, Unavailable
from chassis.metrics import DATABASE_CONNECTIONS_IN_USE, DATABASE_POOL_SIZE

CONNECT_SECONDS = 2
POOL_WAIT_SECONDS = 2
LOCK_WAIT_MS = 2000
IDLE_IN_TRANSACTION_MS = 10_000
LOCK_NOT_AVAILABLE = "55P03"

# SQLSTATE classes in which the same request may succeed later: connection lost, transaction rolled back by the
# server, out of resources (a full disk among them), lock not available, operator intervention, system error.
_PASSING = ("08", "40", "53", "55", "57", "58")


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that has stopped answering."""

    deadline_seconds: float
    breaker: CircuitBreaker

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            answer = super().wait(gen, interval=interval, timeout=timeout or self.deadline_seconds)
        except psycopg.errors._WaitTimeout as late:
            self.breaker.gave_up()
            self.pgconn.finish()
            raise psycopg.OperationalError("the database did not answer in time") from late
        except psycopg.Error as refusal:
            if refusal.sqlstate:  # otherwise it is our own side that speaks, of a connection that is gone
                self.breaker.answered()
            raise
        self.breaker.answered()
        return answer


class Database:
    """The service's own database."""

    def __init__(self, url: str, *, pool_size: int = 16, statement_timeout_ms: int = 5000) -> None:
        self._url = url
        self._statement_timeout_ms = statement_timeout_ms
        self._deadline_seconds = statement_timeout_ms / 1000 + 1
        self._breaker = CircuitBreaker(trial_seconds=CONNECT_SECONDS + self._deadline_seconds)
        self.engine = _engine(self._connect, pool_size)

    def _connect(self) -> DeadlineConnection:
        options = (
            f"-c statement_timeout={self._statement_timeout_ms} -c lock_timeout={LOCK_WAIT_MS} "
            f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC"
        )
        try:
            connection = DeadlineConnection.connect(self._url, connect_timeout=CONNECT_SECONDS, options=options)
        except psycopg.errors.ConnectionTimeout:
            self._breaker.gave_up()
            raise
        connection.deadline_seconds, connection.breaker = self._deadline_seconds, self._breaker
        return connection

    def _connected(self) -> Connection:
        self._breaker.enter()
        return self.engine.connect()

    def first(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Row[Any] | None:
        """Run one statement in its own transaction; return its first row, or None."""
        with self._connected() as connection:
            return connection.execute(statement, parameters).first()

    def all(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Run one statement in its own transaction; return all its rows."""
        with self._connected() as connection:
            return connection.execute(statement, parameters).all()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run several statements as one; an exception takes all of them back."""
        with (
            self._connected().execution_options(isolation_level="READ COMMITTED") as connection,
            connection.begin(),
        ):
            yield connection


def current_database() -> Database:
    """Return the database of the service that answers the current request."""
    database: Database = current_app.extensions["database"]
    return database


def _engine(connect: Any, pool_size: int) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=connect,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_reset_on_return=None,  # one AUTOCOMMIT statement leaves nothing to roll back; transactions end themselves
        use_native_hstore=False,
    )
    DATABASE_POOL_SIZE.set(pool_size)
    event.listen(engine, "checkout", _refuse_dead)
    event.listen(engine, "checkin", lambda *_: DATABASE_CONNECTIONS_IN_USE.dec())
    return engine


def _refuse_dead(dbapi_connection: Any, *_: object) -> None:
    """Let the pool replace a connection that the server has closed.

    An idle connection has nothing to say: when its socket is readable, it is the server's goodbye.
    Asking the socket costs two microseconds, asking the server a round trip.
    """
    poll = select.poll()
    poll.register(dbapi_connection.pgconn.socket, select.POLLIN)
    if dbapi_connection.closed or poll.poll(0):
        raise DisconnectionError("the server closed this connection")
    DATABASE_CONNECTIONS_IN_USE.inc()


@contextmanager
def constraints(problems: Mapping[str, type[Problem]]) -> Iterator[None]:
    """Let the constraint decide, and translate its name into a Problem."""
    try:
        yield
    except IntegrityError as violation:
        name = str(getattr(getattr(violation.orig, "diag", None), "constraint_name", ""))
        if name in problems:
            raise problems[name]() from violation
        raise


def sqlstate(failure: DBAPIError) -> str:
    return getattr(failure.orig, "sqlstate", None) or ""


def answer_database_failures(app: Flask) -> None:
    """Answer 503 while the database cannot be used; anything else it says is a bug, and a 500."""

    @app.errorhandler(DBAPIError)
    def database_failed(failure: DBAPIError) -> Response:
        state = sqlstate(failure)
        lost = failure.connection_invalidated or (isinstance(failure.orig, psycopg.OperationalError) and not state)
        if not lost and not state.startswith(_PASSING):
            raise failure
        app.logger.warning("database_unavailable", extra={"sqlstate": state, "failure": str(failure.orig).strip()})
        return Unavailable().response()

    @app.errorhandler(PoolTimeout)
    def database_busy(_: PoolTimeout) -> Response:
        app.logger.warning("database_pool_exhausted")
        return Unavailable().response()
