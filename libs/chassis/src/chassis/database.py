"""PostgreSQL: one pool per process, one AUTOCOMMIT statement per request where one statement is enough.

A statement that the server does not answer in time is given up on this side too, so that a paused
database costs a request its deadline and never a thread; those that come after hear so at once.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, cast

import psycopg
from flask import Flask, Response
from psycopg.abc import PQGen, QueryNoTemplate
from psycopg.rows import namedtuple_row
from psycopg.types.json import JsonbDumper
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from chassis.breaker import CircuitBreaker
from chassis.errors import Problem, Unavailable
from chassis.metrics import DATABASE_CONNECTIONS_IN_USE, DATABASE_POOL_SIZE

Row: TypeAlias = Any
"""A named tuple of what the statement selects."""

CONNECT_SECONDS = 2
POOL_WAIT_SECONDS = 2
LOCK_WAIT_MS = 2000
IDLE_IN_TRANSACTION_MS = 10_000

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
    """The service's own database.

    Statements are psycopg's, with `%(name)s` where a value goes; a row is a named tuple of its columns.
    """

    def __init__(
        self, url: str, *, pool_size: int = 16, statement_timeout_ms: int = 5000, prepared_statements: bool = True
    ) -> None:
        self._url = url
        self._prepare_threshold = 0 if prepared_statements else None  # after how many uses; None: never
        self._statement_timeout_ms = statement_timeout_ms
        self._deadline_seconds = statement_timeout_ms / 1000 + 1
        self._breaker = CircuitBreaker(trial_seconds=CONNECT_SECONDS + self._deadline_seconds)
        self._pool = _pool(self._connect, pool_size)

    def _connect(self) -> DeadlineConnection:
        options = (
            f"-c statement_timeout={self._statement_timeout_ms} -c lock_timeout={LOCK_WAIT_MS} "
            f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC"
        )
        try:
            connection = DeadlineConnection.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS,
                options=options,
                autocommit=True,
                prepare_threshold=self._prepare_threshold,
                row_factory=namedtuple_row,
            )
        except psycopg.errors.ConnectionTimeout:
            self._breaker.gave_up()
            raise
        connection.deadline_seconds, connection.breaker = self._deadline_seconds, self._breaker
        connection.adapters.register_dumper(dict, JsonbDumper)
        return connection

    @contextmanager
    def connection(self) -> Iterator[DeadlineConnection]:
        """Lend a connection on which each statement is its own transaction."""
        self._breaker.enter()
        with closing(self._pool.connect()) as lent:
            yield cast(DeadlineConnection, lent.dbapi_connection)

    def first(self, statement: QueryNoTemplate, parameters: Mapping[str, Any] | None = None) -> Row:
        """Run one statement in its own transaction; return its first row, or None."""
        with self.connection() as connection:
            return connection.execute(statement, parameters).fetchone()

    def all(self, statement: QueryNoTemplate, parameters: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """Run one statement in its own transaction; return all its rows."""
        with self.connection() as connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[DeadlineConnection]:
        """Run several statements as one; an exception takes all of them back."""
        with self.connection() as connection, connection.transaction():
            yield connection

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.dispose()


_current: ContextVar[Database] = ContextVar("database")


def use(database: Database) -> None:
    """Let the current request have its service's database."""
    _current.set(database)


def current_database() -> Database:
    """Return the database of the service that answers the current request."""
    return _current.get()


def _pool(connect: Any, size: int) -> QueuePool:
    pool = QueuePool(
        connect,
        pool_size=size,
        max_overflow=0,
        timeout=POOL_WAIT_SECONDS,
        use_lifo=True,  # the fewer connections share the work, the warmer each is
        reset_on_return=None,  # one AUTOCOMMIT statement leaves nothing to roll back; transactions end themselves
    )
    DATABASE_POOL_SIZE.set(size)
    event.listen(pool, "checkout", _refuse_dead)
    event.listen(pool, "checkin", lambda *_: DATABASE_CONNECTIONS_IN_USE.dec())
    return pool


def _refuse_dead(connection: Any, *_: object) -> None:
    """Let the pool replace a connection that the server has closed."""
    if connection.closed or _has_news(connection.pgconn.socket):
        raise DisconnectionError("the server closed this connection")
    DATABASE_CONNECTIONS_IN_USE.inc()


def _has_news(idle_socket: int) -> bool:
    """Tell whether an idle connection's socket is readable: its server can only have said goodbye.

    Asking the socket costs half a microsecond, asking the server a round trip.
    """
    poll = select.poll()
    poll.register(idle_socket, select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def constraints(problems: Mapping[str, type[Problem]]) -> Iterator[None]:
    """Let the constraint decide, and translate its name into a Problem."""
    try:
        yield
    except psycopg.IntegrityError as violation:
        name = violation.diag.constraint_name or ""
        if name in problems:
            raise problems[name]() from violation
        raise


def serve_from(app: Flask, database: Database) -> None:
    """Give every request the database; answer 503 while it cannot be used. What else it says is a bug, and a 500."""

    app.before_request(lambda: use(database))

    @app.errorhandler(psycopg.Error)
    def database_failed(failure: psycopg.Error) -> Response:
        state = failure.sqlstate or ""
        lost = isinstance(failure, psycopg.OperationalError) and not state
        if not lost and not state.startswith(_PASSING):
            raise failure
        app.logger.warning("database_unavailable", extra={"sqlstate": state, "failure": str(failure).strip()})
        return Unavailable().response()

    @app.errorhandler(PoolTimeout)
    def database_busy(_: PoolTimeout) -> Response:
        app.logger.warning("database_pool_exhausted")
        return Unavailable().response()
