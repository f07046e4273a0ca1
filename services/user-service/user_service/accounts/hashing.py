"""Hash on a few low-priority threads of their own, so that sign-ins never occupy all threads of the server."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitTimeout
from contextlib import suppress
from typing import ParamSpec, TypeVar

from chassis.problems import Unavailable

MAX_WAIT_SECONDS = 3.0
IDLE_SECONDS = 2.0
NICENESS, MAX_NICENESS = 5, 19
P = ParamSpec("P")
T = TypeVar("T")


class Busy(Unavailable):
    """All slots are taken; the client is asked to try again."""

    code, error = "busy", "too many sign-ins at once, try again"


class HashingPool:
    """Run one hash per processor at a time; admit `slots` requests that hash or wait for it."""

    def __init__(self, slots: int) -> None:
        self._threads = ThreadPoolExecutor(_processors(), "hashing", initializer=_lower_priority)
        self._slots = threading.BoundedSemaphore(slots)
        self._used = threading.Event()
        threading.Thread(target=self._trim_when_idle, name="hashing-trim", daemon=True).start()

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of `work`; raise Busy when no slot is free, or no thread within MAX_WAIT_SECONDS."""
        if not self._slots.acquire(blocking=False):
            raise Busy
        self._used.set()
        hashed = self._threads.submit(work, *args, **kwargs)
        hashed.add_done_callback(lambda _: self._slots.release())
        try:
            return hashed.result(MAX_WAIT_SECONDS)
        except WaitTimeout as timeout:
            if hashed.cancel():
                raise Busy from timeout
            return hashed.result()  # it is running already and ends within milliseconds

    def _trim_when_idle(self) -> None:
        """Return the memory of hashes to the system after IDLE_SECONDS without one.

        Each hash takes 19 MB, which the allocator keeps for the next; trimming after each would make hashing
        take half as long again.
        """
        while self._used.wait():
            while self._used.is_set():
                self._used.clear()
                time.sleep(IDLE_SECONDS)
            self._trim()

    @staticmethod
    def _trim() -> None:
        """Return the allocator's free memory to the system; only glibc offers this."""
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def hashing_slots(server_threads: int) -> int:
    """Return how many server threads may wait for a hash; at least a quarter stay free, and 2 of 4 or more."""
    free = max(2 if server_threads >= 4 else 1, -(-server_threads // 4))  # noqa: PLR2004 - see above
    return max(1, server_threads - free)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _lower_priority() -> None:
    """Raise the niceness of this thread above that of the process; only on Linux do threads have their own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
            os.setpriority(os.PRIO_PROCESS, thread, min(niceness, MAX_NICENESS))
