"""A bounded rate-limit storage in the memory of this process."""

from __future__ import annotations

import logging
import time
from threading import Lock
from typing import NamedTuple

from limits.storage import Storage

log = logging.getLogger(__name__)

MAX_KEYS = 250_000
SWEEP_SECONDS = 10.0


class Counter(NamedTuple):
    value: int
    expires_at: float


class BoundedMemory(Storage):
    """Count in a dictionary; sweep expired counters in a write, at most every SWEEP_SECONDS.

    The library's own MemoryStorage has no bound, and sweeps 10 ms after each write: 40 % of a core at 100,000 keys.
    At MAX_KEYS all counters are dropped. Only an attacker with ever new addresses and ever new accounts fills the
    memory, and counters do not slow down such an attacker anyway.
    """

    base_exceptions = ()  # nothing to wrap: a dictionary does not fail

    def __init__(self) -> None:
        super().__init__()
        self._counters: dict[str, Counter] = {}
        self._sweep_at = time.time() + SWEEP_SECONDS
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._counters)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.time()
        with self._lock:
            self._make_room(now)
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

    def _make_room(self, now: float) -> None:
        if now >= self._sweep_at:
            self._counters = {key: counter for key, counter in self._counters.items() if counter.expires_at > now}
            self._sweep_at = now + SWEEP_SECONDS
        if len(self._counters) >= MAX_KEYS:
            log.warning("rate_limit_memory_full", extra={"forgotten": len(self._counters)})
            self._counters.clear()
