"""Hashing has threads of its own, few and bounded: it may keep the processors busy, never the server's threads."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import suppress
from typing import ParamSpec, TypeVar

from chassis.problems import Unavailable

LONGEST_WAIT_SECONDS = 3.0
QUIET_SECONDS = 2.0
P = ParamSpec("P")
T = TypeVar("T")


class Busy(Unavailable):
    """As many are waiting for a hash as may; the next must come again."""

    code, error = "busy", "too many sign-ins at once, try again"


class HashingPool:
    """At most one hash per processor at a time, and `places` requests that hash or wait for it."""

    def __init__(self, places: int) -> None:
        self._threads = ThreadPoolExecutor(_processors(), "hashing", initializer=_give_way)
        self._places = threading.BoundedSemaphore(places)
        self._hashed = threading.Event()
        threading.Thread(target=self._tidy, name="hashing-tidy", daemon=True).start()

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, or raise Busy: at once when all places are taken, else after a short wait."""
        if not self._places.acquire(blocking=False):
            raise Busy
        self._hashed.set()
        hashed = self._threads.submit(work, *args, **kwargs)
        hashed.add_done_callback(lambda _: self._places.release())
        try:
            return hashed.result(LONGEST_WAIT_SECONDS)
        except TookTooLong as late:
            if hashed.cancel():
                raise Busy from late
            return hashed.result()  # it has begun: the rest is short

    def _tidy(self) -> None:
        """Give the memory of hashes back once nobody has asked for one for a while.

        Each took 19 MB, which the allocator keeps for the next: without that, hashing takes half as long again.
        """
        while self._hashed.wait():
            while self._hashed.is_set():
                self._hashed.clear()
                time.sleep(QUIET_SECONDS)
            self._trim()

    @staticmethod
    def _trim() -> None:
        """Have the allocator return what it holds unused; only glibc can be asked to."""
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def places_beside(server_threads: int) -> int:
    """Return how many of the server's threads may stand waiting for a hash; the others serve on."""
    return max(1, server_threads * 3 // 4)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _give_way() -> None:
    """Let every other thread go first: on Linux niceness belongs to the thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
