"""Hang up on clients whose request has been arriving for too long.

The server has no such limit, and its WSGI side tells neither the connection nor a way to give up on it. But the
kernel knows of each socket when something was last received and when something was last sent: a client that has
said something since our last answer, and has had no answer for so long, is either dripping its body or gone.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 2
_TCP_INFO = struct.Struct("8x 9I 3I")
_LAST_SENT, _LAST_RECEIVED = 9, 11  # of its numbers; both milliseconds ago


class Silence(NamedTuple):
    """How long ago, in seconds, something was sent to a client, and received from it."""

    sent: float
    received: float


class Overdue:
    """The connections to `port` whose clients have waited for an answer since an earlier look."""

    def __init__(self, port: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._port = port
        self._seconds = seconds
        self._clock = clock
        self._waiting: dict[int, float] = {}

    def cut(self) -> int:
        """Look at every connection; hang up on those that are overdue, and return how many there were."""
        now, still, cut = self._clock(), {}, 0
        for connection in _connections(self._port):
            with closing(connection), suppress(OSError):
                inode, silence = os.fstat(connection.fileno()).st_ino, _silence(connection)
                if silence.received >= silence.sent:
                    continue  # it was answered, and has said nothing since
                still[inode] = self._waiting.get(inode, now)
                if min(now - still[inode], silence.sent) > self._seconds:
                    connection.shutdown(socket.SHUT_RDWR)
                    cut += 1
        self._waiting = still
        return cut

    def watch(self) -> None:
        """Look again and again, in the background; only Linux can tell."""
        if sys.platform == "linux":
            threading.Thread(target=self._watch, name="overdue", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.cut()


def _connections(port: int) -> Iterator[socket.socket]:
    """Yield a handle of our own on every accepted connection to this port."""
    for descriptor in [entry.name for entry in Path("/proc/self/fd").iterdir()]:
        with suppress(OSError):
            if str(Path("/proc/self/fd", descriptor).readlink()).startswith("socket:"):
                connection = socket.socket(fileno=os.dup(int(descriptor)))
                if _is_accepted(connection, port):
                    yield connection
                else:
                    connection.close()


def _is_accepted(connection: socket.socket, port: int) -> bool:
    if connection.family not in {socket.AF_INET, socket.AF_INET6} or connection.type != socket.SOCK_STREAM:
        return False
    try:
        return int(connection.getsockname()[1]) == port and bool(connection.getpeername())
    except OSError:
        return False  # it listens, or has gone


def _silence(connection: socket.socket) -> Silence:
    info = _TCP_INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    return Silence(info[_LAST_SENT] / 1000, info[_LAST_RECEIVED] / 1000)
