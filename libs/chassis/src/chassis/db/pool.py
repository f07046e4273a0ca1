"""A bounded LIFO connection pool."""

from __future__ import annotations

import random
import select
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from chassis.telemetry.metrics import DATABASE_CONNECTIONS_IN_USE, DATABASE_POOL_SIZE

C = TypeVar("C", bound=psycopg.Connection)

MAX_LIFETIME_SECONDS = 1800.0
"""A server process keeps memory for each table that it has seen; an old connection also pins an old DNS answer."""


class PoolTimeout(Exception):
    """No connection was returned in time."""


class Pool(Generic[C]):
    """Keep up to `size` connections; open them on first use.

    A returned connection older than `max_lifetime` seconds (plus or minus 10 %) is closed.
    """

    def __init__(
        self, connect: Callable[[], C], size: int, wait_seconds: float, max_lifetime: float = MAX_LIFETIME_SECONDS
    ) -> None:
        self._connect = connect
        self._wait_seconds = wait_seconds
        self._max_lifetime = max_lifetime
        self._idle: deque[tuple[C, float]] = deque()  # each with its expiry time
        self._slots: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._slots.put(None)
        DATABASE_POOL_SIZE.set(size)

    @contextmanager
    def connection(self) -> Iterator[C]:
        """Yield a connection; raise PoolTimeout or the connection error."""
        try:
            self._slots.get(timeout=self._wait_seconds)
        except Empty:
            raise PoolTimeout from None
        DATABASE_CONNECTIONS_IN_USE.inc()
        try:
            connection, expires_at = self._take()
            try:
                yield connection
            finally:
                self._put_back(connection, expires_at)
        finally:
            DATABASE_CONNECTIONS_IN_USE.dec()
            self._slots.put(None)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[0].close()

    def _take(self) -> tuple[C, float]:
        while self._idle:
            connection, expires_at = self._idle.pop()
            if not _is_closed_by_server(connection):
                return connection, expires_at
            connection.close()
        # Jitter: connections that were opened together must not all close together.
        return self._connect(), monotonic() + self._max_lifetime * random.uniform(0.9, 1.1)  # noqa: S311

    def _put_back(self, connection: C, expires_at: float) -> None:
        is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE  # not lost, nor in a transaction
        if is_idle and monotonic() < expires_at:
            self._idle.append((connection, expires_at))
        else:
            connection.close()


def _is_closed_by_server(connection: psycopg.Connection) -> bool:
    """Tell whether an idle connection's socket is readable, which means that the server closed it.

    Polling the socket takes half a microsecond; a test query would take a round trip.
    """
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
