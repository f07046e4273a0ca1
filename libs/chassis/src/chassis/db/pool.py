"""Connections that are there already: as many as the database allows this process, the warmest first."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import psycopg
from psycopg.pq import TransactionStatus

from chassis.telemetry.metrics import DATABASE_CONNECTIONS_IN_USE, DATABASE_POOL_SIZE

C = TypeVar("C", bound=psycopg.Connection)


class PoolTimeout(Exception):
    """All connections are at work, and none came back in time."""


class Pool(Generic[C]):
    """Lends at most `size` connections at a time; each is made by whoever needs it first, and kept."""

    def __init__(self, connect: Callable[[], C], size: int, wait_seconds: float) -> None:
        self._connect = connect
        self._wait_seconds = wait_seconds
        self._idle: deque[C] = deque()
        self._permits: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._permits.put(None)
        DATABASE_POOL_SIZE.set(size)

    @contextmanager
    def connection(self) -> Iterator[C]:
        """Lend a connection; raise PoolTimeout, or what connecting raises."""
        try:
            self._permits.get(timeout=self._wait_seconds)
        except Empty:
            raise PoolTimeout from None
        DATABASE_CONNECTIONS_IN_USE.inc()
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._put_back(connection)
        finally:
            DATABASE_CONNECTIONS_IN_USE.dec()
            self._permits.put(None)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> C:
        while self._idle:
            connection = self._idle.pop()
            if not _has_news(connection):
                return connection
            connection.close()
        return self._connect()

    def _put_back(self, connection: C) -> None:
        if connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            connection.close()  # lost, or left in the middle of something


def _has_news(connection: psycopg.Connection) -> bool:
    """Tell whether an idle connection's socket is readable: its server can only have said goodbye.

    Asking the socket costs half a microsecond, asking the server a round trip.
    """
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
