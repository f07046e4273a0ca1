"""A bounded rate-limit storage in the memory of this process."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from itertools import islice
from threading import Lock
from typing import NamedTuple

from limits.storage import Storage

log = logging.getLogger(__name__)

MAX_KEYS = 250_000  # of about 300 bytes each
SWEPT_PER_WRITE = 2  # more than one, so that expired counters are removed faster than new ones are added


class Counter(NamedTuple):
    value: int
    expires_at: float


class BoundedMemory(Storage):
    """Count in a dictionary; each write looks at SWEPT_PER_WRITE other counters and removes the expired ones.

    The library's own MemoryStorage has no bound, and sweeps 10 ms after each write: 40 % of a core at 100,000 keys.
    At MAX_KEYS all counters are dropped. Only an attacker with always new addresses and accounts fills the
    memory, and counters do not slow down such an attacker anyway.
    """

    base_exceptions = ()  # nothing to wrap: a dictionary does not fail

    def __init__(self) -> None:
        super().__init__()
        self._counters: OrderedDict[str, Counter] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._counters)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.time()
        with self._lock:
            self._sweep(now)
            value, expires_at = self._live(key, now) or Counter(0, now + expiry)
            self._counters[key] = Counter(value + amount, expires_at)
        return value + amount

    def get(self, key: str) -> int:
        counter = self._live(key, time.time())
        return counter.value if counter else 0

    def get_expiry(self, key: str) -> float:
        now = time.time()
        counter = self._live(key, now)
        return counter.expires_at if counter else now

    def check(self) -> bool:
        return True

    def clear(self, key: str) -> None:
        with self._lock:
            self._counters.pop(key, None)

    def reset(self) -> int:
        with self._lock:
            dropped = len(self._counters)
            self._counters.clear()
        return dropped

    def _live(self, key: str, now: float) -> Counter | None:
        counter = self._counters.get(key)
        return counter if counter and counter.expires_at > now else None

    def _sweep(self, now: float) -> None:
        for key in list(islice(self._counters, SWEPT_PER_WRITE)):
            if self._counters[key].expires_at > now:
                self._counters.move_to_end(key)
            else:
                del self._counters[key]
        if len(self._counters) >= MAX_KEYS:
            log.warning("rate_limit_memory_full", extra={"forgotten": len(self._counters)})
            self._counters.clear()
