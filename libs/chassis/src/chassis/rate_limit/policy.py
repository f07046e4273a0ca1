"""What has been tried, and what follows from it: rules of the limiter, on any storage of `limits`."""

from __future__ import annotations

import logging
import time
from math import ceil
from threading import Timer
from typing import NamedTuple

from limits import RateLimitItem, RateLimitItemPerHour
from limits.storage import MemoryStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from chassis.problems import Problem

log = logging.getLogger(__name__)

LONGEST_DELAY = 900
LONGEST_DELAY_OF_NEWCOMERS = 10  # short: they wait for as long once the attacker has gone
FORGET_AFTER = 3600
KNOWN_FOR = 30 * 86_400
FAILURES_OF_ACCOUNT = 30  # an hour, from everywhere
SWEEP_SECONDS = 10.0
MOST_KEYS = 250_000  # of some 370 bytes


class Rule(NamedTuple):
    """What is counted together, and which refusals are failures; of these the first `free` cost no delay.

    With `acquaints`, who succeeds at an address is known there from then on, and everybody else a newcomer.
    """

    name: str
    failures: tuple[type[Problem], ...]
    free: int = 5
    acquaints: bool = False

    @property
    def per_account(self) -> RateLimitItem:
        return RateLimitItemPerHour(max(FAILURES_OF_ACCOUNT, self.free))


class Attempt(NamedTuple):
    """Who tries what, as keys of the storage."""

    rule: Rule
    account: str
    address: str

    @property
    def pair(self) -> str:
        return f"{self.account}@{self.address}"


class Allowance(NamedTuple):
    """Whether an attempt may go on; how many may follow within the next `seconds`."""

    granted: bool
    left: int
    seconds: int


class BoundedMemory(MemoryStorage):
    """This process's memory, bounded, and looked through for what has expired every SWEEP_SECONDS at most.

    The library does so 10 ms after each write, which with 100,000 keys takes 40 % of a core. Full, it forgets
    everything: who can fill it comes from ever new addresses for ever new accounts, and is not held back anyway.
    """

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        if len(self.storage) >= MOST_KEYS:
            log.warning("rate_limit_memory_full", extra={"forgotten": self.reset()})
        return super().incr(key, expiry, amount)

    @property
    def timer(self) -> Timer:
        return self._timer

    @timer.setter
    def timer(self, timer: Timer) -> None:
        timer.interval = SWEEP_SECONDS
        timer.daemon = True  # it keeps no process from ending
        self._timer = timer


class Policy:
    """What has been tried, in one storage."""

    def __init__(self, storage: Storage, per_address: RateLimitItem) -> None:
        self._storage = storage
        self._windows = FixedWindowRateLimiter(storage)
        self._per_address = per_address
        self._free_to_newcomers = max(20, per_address.amount // 30)

    def admit(self, who: Attempt) -> Allowance:
        known = self._known(who)
        if seconds := max(self._delay(who.pair), self._delay(who.address) if who.rule.acquaints and not known else 0):
            return Allowance(False, 0, seconds)
        if not known and not self._windows.test(who.rule.per_account, who.account):
            return Allowance(False, 0, self._reset(who.rule.per_account, who.account))
        payer = who.pair if known else who.address
        granted = self._windows.hit(self._per_address, payer)
        left = self._windows.get_window_stats(self._per_address, payer)
        return Allowance(granted, left.remaining, _until(left.reset_time))

    def failed(self, who: Attempt) -> None:
        self._slow_down(who.pair, who.rule.free, LONGEST_DELAY)
        if who.rule.acquaints and not self._known(who):
            self._slow_down(who.address, self._free_to_newcomers, LONGEST_DELAY_OF_NEWCOMERS)
        self._windows.hit(who.rule.per_account, who.account)

    def succeeded(self, who: Attempt) -> None:
        self._storage.clear(f"failures:{who.pair}")
        if who.rule.acquaints and not self._known(who):
            self._storage.clear(f"failures:{who.address}")
            self._storage.incr(f"known:{who.pair}", KNOWN_FOR)

    def _known(self, who: Attempt) -> bool:
        return who.rule.acquaints and bool(self._storage.get(f"known:{who.pair}"))

    def _delay(self, payer: str) -> int:
        """Return the seconds that a pair or an address has to wait still."""
        key = f"delay:{payer}"
        return _until(self._storage.get_expiry(key)) if self._storage.get(key) else 0

    def _slow_down(self, payer: str, free: int, longest: int) -> None:
        failures = self._storage.incr(f"failures:{payer}", FORGET_AFTER)
        if failures >= free:
            self._storage.clear(f"delay:{payer}")
            self._storage.incr(f"delay:{payer}", min(2 ** (failures - free), longest))

    def _reset(self, item: RateLimitItem, key: str) -> int:
        return _until(self._windows.get_window_stats(item, key).reset_time)


def _until(moment: float) -> int:
    return max(1, ceil(moment - time.time()))
