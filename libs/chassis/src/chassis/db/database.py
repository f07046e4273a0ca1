"""PostgreSQL: one pool per process, one AUTOCOMMIT statement per request where one statement is enough.

A statement that the server does not answer in time is given up on this side too, so that a paused
database costs a request its deadline and never a thread; those that come after hear so at once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import psycopg
from flask import Flask, Response
from psycopg.abc import PQGen, QueryNoTemplate
from psycopg.rows import namedtuple_row
from psycopg.types.json import JsonbDumper

from chassis.db.batching import Batcher
from chassis.db.circuit_breaker import CircuitBreaker
from chassis.db.pool import Pool, PoolTimeout
from chassis.problems import Problem, Unavailable

Row: TypeAlias = Any
"""A named tuple of what the statement selects."""

Wish: TypeAlias = tuple[QueryNoTemplate, Mapping[str, Any]]

CONNECT_SECONDS = 2
POOL_WAIT_SECONDS = 2
LOCK_WAIT_MS = 2000
IDLE_IN_TRANSACTION_MS = 10_000

# SQLSTATE classes in which the same request may succeed later: connection lost, transaction rolled back by the
# server, out of resources (a full disk among them), lock not available, operator intervention, system error.
_PASSING = ("08", "40", "53", "55", "57", "58")


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that has stopped answering.

    One statement after the other is asked on one cursor: making a new one for each cost a tenth of a small request.
    """

    deadline_seconds: float
    breaker: CircuitBreaker
    asking: psycopg.Cursor[Any]

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


def _is_of_one(failure: psycopg.Error) -> bool:
    """Tell whether a statement was refused for itself, or chosen as a deadlock's victim: its transaction has not
    happened, and others may fare better. Any other failure is the database's."""
    refused = failure.sqlstate is not None and not isinstance(failure, psycopg.OperationalError)
    return refused or isinstance(failure, psycopg.errors.DeadlockDetected)


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
        self._pool = Pool(self._connect, pool_size, POOL_WAIT_SECONDS)
        self._crowd = Batcher(self._all_first)

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
        connection.asking = connection.cursor()
        return connection

    def _lend(self) -> AbstractContextManager[DeadlineConnection]:
        """Lend a connection on which each statement is its own transaction."""
        self._breaker.enter()
        return self._pool.connection()

    def fetch_one(self, statement: QueryNoTemplate, parameters: Mapping[str, Any] | None = None) -> Row:
        """Run one statement in its own transaction; return its first row, or None."""
        with self._lend() as connection:
            return connection.asking.execute(statement, parameters).fetchone()

    def fetch_all(self, statement: QueryNoTemplate, parameters: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """Run one statement in its own transaction; return all its rows."""
        with self._lend() as connection:
            return connection.asking.execute(statement, parameters).fetchall()

    def fetch_one_batched(self, thing: Hashable, statement: QueryNoTemplate, parameters: Mapping[str, Any]) -> Row:
        """Do as `fetch_one`, together with all in this process who wait for the same rows: one transaction for all.

        `thing` names the rows that the statement locks: the same for the same rows in the same order.
        """
        return self._crowd.get(thing, (statement, parameters))

    def _all_first(self, wishes: Sequence[Wish]) -> Sequence[Row | Exception]:
        try:
            return self._together(wishes) if len(wishes) > 1 else [self.fetch_one(*wishes[0])]
        except psycopg.Error as failure:
            if not _is_of_one(failure):
                raise
            return [self._alone(wish) for wish in wishes] if len(wishes) > 1 else [failure]

    def _together(self, wishes: Sequence[Wish]) -> Sequence[Row]:
        with self._lend() as connection:
            with connection.pipeline(), connection.transaction():
                cursors = [connection.execute(*wish) for wish in wishes]
            return [cursor.fetchone() for cursor in cursors]

    def _alone(self, wish: Wish) -> Row | Exception:
        try:
            return self.fetch_one(*wish)
        except Exception as failure:
            return failure

    @contextmanager
    def transaction(self) -> Iterator[DeadlineConnection]:
        """Run several statements as one; an exception takes all of them back."""
        with self._lend() as connection, connection.transaction():
            yield connection

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pool.close()


_current: ContextVar[Database] = ContextVar("database")


def use(database: Database) -> None:
    """Let the current request have its service's database."""
    _current.set(database)


def current_database() -> Database:
    """Return the database of the service that answers the current request."""
    return _current.get()


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
