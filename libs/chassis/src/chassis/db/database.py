"""Run PostgreSQL statements and transactions on a pool of connections, one pool per process.

The client has a deadline of its own for each statement, because a paused server enforces none. After a missed
deadline the circuit breaker refuses further requests at once.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg.abc import PQGen, QueryNoTemplate
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import namedtuple_row
from psycopg.types.json import JsonbDumper

from chassis.db import failpoints
from chassis.db.batching import Batcher
from chassis.db.circuit_breaker import CircuitBreaker
from chassis.db.libpq import ignore_environment
from chassis.db.pool import Pool, PoolTimeout
from chassis.problems import Problem, Unavailable

log = logging.getLogger(__name__)

Row: TypeAlias = Any
"""A named tuple of the selected columns."""


class Call(NamedTuple):
    """A statement and its parameters; the calls of a batch run in the order of `rank`."""

    statement: QueryNoTemplate
    parameters: Mapping[str, Any]
    rank: tuple[str, ...] = ()


CONNECT_SECONDS = 2
POOL_WAIT_SECONDS = 2
LOCK_WAIT_MS = 2000
BATCH_LOCK_WAIT_MS = 1000
"""Shorter than LOCK_WAIT_MS, because a waiting batch blocks one thread per call."""
IDLE_IN_TRANSACTION_MS = 10_000

# SQLSTATE classes in which the same request may succeed later: connection lost, transaction rolled back by the
# server, out of resources (a full disk among them), lock not available, operator intervention, system error. And a
# server that has become a standby.
_PASSING = ("08", "40", "53", "55", "57", "58", "25006")
READ_ONLY = "25006"
"""A statement that writes has reached a standby, or a primary that was made one: another server is the primary now."""


class DeadlineConnection(psycopg.Connection[Any]):
    """A connection that closes itself when the server does not answer within `deadline_seconds`.

    All single statements use `shared_cursor`: creating a cursor took a tenth of the time of a small request.
    """

    deadline_seconds: float
    breaker: CircuitBreaker
    shared_cursor: psycopg.Cursor[Any]

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            answer = super().wait(gen, interval=interval, timeout=timeout or self.deadline_seconds)
        except psycopg.errors._WaitTimeout as late:
            self.breaker.record_timeout()
            self.pgconn.finish()
            raise psycopg.OperationalError("the database did not answer in time") from late
        except psycopg.Error as refusal:
            if refusal.sqlstate:  # No SQLSTATE: the client library failed, not the server.
                self.breaker.record_answer()
            if refusal.sqlstate == READ_ONLY:
                self.pgconn.finish()  # the next connection looks for the primary
            raise
        self.breaker.record_answer()
        return answer

    def fetch_one(self, statement: QueryNoTemplate, parameters: Mapping[str, Any] | None = None) -> Row:
        """Run one statement of a transaction; return its first row, or None."""
        return self.shared_cursor.execute(statement, parameters).fetchone()


def _concerns_one_call(failure: psycopg.Error) -> bool:
    """Tell whether only this call failed: the server refused its statement or ended a deadlock with it."""
    refused = failure.sqlstate not in {None, READ_ONLY} and not isinstance(failure, psycopg.OperationalError)
    return refused or isinstance(failure, psycopg.errors.DeadlockDetected)


class Database:
    """The database of a service.

    Statements use psycopg's placeholders, `%(name)s`; a row is a named tuple of its columns.
    """

    def __init__(
        self, url: str, *, pool_size: int = 16, statement_timeout_ms: int = 5000, prepared_statements: bool = True
    ) -> None:
        ignore_environment()
        self._url = url
        self._options = (
            f"{conninfo_to_dict(url).get('options') or ''} "
            f"-c statement_timeout={statement_timeout_ms} -c lock_timeout={LOCK_WAIT_MS} "
            f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c timezone=UTC"
        )
        self._prepare_threshold = 0 if prepared_statements else None  # uses before preparing; None: never
        self._deadline_seconds = statement_timeout_ms / 1000 + 1
        self._breaker = CircuitBreaker(trial_seconds=CONNECT_SECONDS + self._deadline_seconds)
        self._pool = Pool(self._connect, pool_size, POOL_WAIT_SECONDS)
        self._batcher = Batcher(self._run_batch)

    def _connect(self) -> DeadlineConnection:
        try:
            connection = DeadlineConnection.connect(
                self._url,
                connect_timeout=CONNECT_SECONDS,
                options=self._options,
                client_encoding="utf8",
                autocommit=True,
                prepare_threshold=self._prepare_threshold,
                row_factory=namedtuple_row,
                cursor_factory=failpoints.CURSOR,
            )
        except psycopg.errors.ConnectionTimeout:
            self._breaker.record_timeout()
            raise
        connection.deadline_seconds, connection.breaker = self._deadline_seconds, self._breaker
        connection.adapters.register_dumper(dict, JsonbDumper)
        connection.shared_cursor = connection.cursor()
        return connection

    def _connection(self) -> AbstractContextManager[DeadlineConnection]:
        """Yield an AUTOCOMMIT connection."""
        self._breaker.check()
        return self._pool.connection()

    def fetch_one(self, statement: QueryNoTemplate, parameters: Mapping[str, Any] | None = None) -> Row:
        """Run one statement in its own transaction; return its first row, or None."""
        with self._connection() as connection:
            return connection.shared_cursor.execute(statement, parameters).fetchone()

    def fetch_all(self, statement: QueryNoTemplate, parameters: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """Run one statement in its own transaction; return all its rows."""
        with self._connection() as connection:
            return connection.shared_cursor.execute(statement, parameters).fetchall()

    def fetch_one_batched(
        self, key: Hashable, statement: QueryNoTemplate, parameters: Mapping[str, Any], *, rank: tuple[str, ...] = ()
    ) -> Row:
        """Run `fetch_one` in one transaction with concurrent calls of this process that have the same key.

        `key` identifies the rows that the statement locks first, in their order. A batch runs its calls in the order of
        their ranks, so that batches never deadlock over what the calls lock after those rows.
        """
        return self._batcher.get(key, Call(statement, parameters, rank))

    def _run_batch(self, calls: Sequence[Call]) -> Sequence[Row | Exception]:
        """Run the calls in one transaction; if one of them fails it, run each call alone."""
        try:
            return self._run_together(calls) if len(calls) > 1 else [self.fetch_one(*calls[0][:2])]
        except psycopg.errors.LockNotAvailable as failure:
            if len(calls) > 1:
                raise Unavailable from failure
            raise
        except psycopg.Error as failure:
            if not _concerns_one_call(failure):
                raise
            return self._run_each(calls) if len(calls) > 1 else [failure]

    def _run_together(self, calls: Sequence[Call]) -> Sequence[Row]:
        with self._connection() as connection:
            with connection.pipeline(), connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = {BATCH_LOCK_WAIT_MS}")
                in_order = sorted(range(len(calls)), key=lambda place: calls[place].rank)
                cursors = {place: connection.execute(*calls[place][:2]) for place in in_order}
            return [cursors[place].fetchone() for place in range(len(calls))]

    def _run_each(self, calls: Sequence[Call]) -> Sequence[Row | Exception]:
        """Run each call alone; when the database itself fails, return that failure for all remaining calls."""
        results: list[Row | Exception] = []
        for call in calls:
            try:
                results.append(self.fetch_one(*call[:2]))
            except Exception as failure:
                if not isinstance(failure, psycopg.Error) or not _concerns_one_call(failure):
                    return results + [failure] * (len(calls) - len(results))
                results.append(failure)
        return results

    @contextmanager
    def transaction(self, name: str = "transaction") -> Iterator[DeadlineConnection]:
        """Yield a connection in a transaction; an exception rolls it back. `<name>.committed` is a failpoint."""
        with self._connection() as connection:
            with connection.transaction():
                yield connection
            failpoints.reach(f"{name}.committed")

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()


def as_problem(failure: Exception) -> Unavailable | None:
    """Log a temporary database failure and return it as Unavailable; return None for any other exception."""
    if isinstance(failure, PoolTimeout):
        log.warning("database_pool_timeout")
        return Unavailable()
    if not isinstance(failure, psycopg.Error):
        return None
    state = failure.sqlstate or ""
    lost = isinstance(failure, psycopg.OperationalError) and not state
    if not lost and not state.startswith(_PASSING):
        return None
    log.warning("database_unavailable", extra={"sqlstate": state, "failure": str(failure).strip()})
    return Unavailable()


@contextmanager
def constraints(problems: Mapping[str, type[Problem]]) -> Iterator[None]:
    """Raise the Problem that `problems` maps to the name of a violated constraint."""
    try:
        yield
    except psycopg.IntegrityError as violation:
        name = violation.diag.constraint_name or ""
        if name in problems:
            raise problems[name]() from violation
        raise
