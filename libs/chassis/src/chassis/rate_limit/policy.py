"""Allow or delay attempts by the failures counted in any storage of `limits` (docs/adr/0016)."""

from __future__ import annotations

import time
from math import ceil
from typing import NamedTuple

from limits import RateLimitItem, RateLimitItemPerHour
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from chassis.problems import Problem

MAX_DELAY_SECONDS = 900
UNTRUSTED_MAX_DELAY_SECONDS = 10  # short, because real users wait as long after the attack has stopped
FAILURES_SECONDS = 3600
TRUST_SECONDS = 30 * 86_400
ACCOUNT_FAILURES_PER_HOUR = 30  # from all addresses together


class Rule(NamedTuple):
    """Attempts that are counted under one name, and the Problems that count as failures.

    The first `free` failures cause no delay. With `trusts_clients`, a success makes the account at this address a
    trusted client; all others are untrusted.
    """

    name: str
    failures: tuple[type[Problem], ...]
    free: int = 5
    trusts_clients: bool = False

    @property
    def per_account(self) -> RateLimitItem:
        return RateLimitItemPerHour(max(ACCOUNT_FAILURES_PER_HOUR, self.free))


class Attempt(NamedTuple):
    """One attempt; `account` and `address` are keys of the storage."""

    rule: Rule
    account: str
    address: str

    @property
    def client(self) -> str:
        return f"{self.account}@{self.address}"


class Allowance(NamedTuple):
    """Whether an attempt is allowed, and how many are left within the next `seconds`."""

    granted: bool
    left: int
    seconds: int


class Policy:
    """Apply rules to attempts with the counters of one storage."""

    def __init__(self, storage: Storage, per_address: RateLimitItem) -> None:
        self._storage = storage
        self._windows = FixedWindowRateLimiter(storage)
        self._per_address = per_address
        self._free_untrusted_failures = max(20, per_address.amount // 30)

    def admit(self, attempt: Attempt) -> Allowance:
        trusted = self._is_trusted(attempt)
        if seconds := self._delay(attempt, trusted):
            return Allowance(False, 0, seconds)
        if not trusted and not self._windows.test(attempt.rule.per_account, attempt.account):
            blocked = self._windows.get_window_stats(attempt.rule.per_account, attempt.account)
            return Allowance(False, 0, _seconds_until(blocked.reset_time))
        # A trusted client has a budget of its own; all others at an address share one.
        key = attempt.client if trusted else attempt.address
        granted = self._windows.hit(self._per_address, key)
        budget = self._windows.get_window_stats(self._per_address, key)
        return Allowance(granted, budget.remaining, _seconds_until(budget.reset_time))

    def failed(self, attempt: Attempt) -> None:
        self._count_failure(attempt.client, attempt.rule.free, MAX_DELAY_SECONDS)
        if attempt.rule.trusts_clients and not self._is_trusted(attempt):
            self._count_failure(attempt.address, self._free_untrusted_failures, UNTRUSTED_MAX_DELAY_SECONDS)
        self._windows.hit(attempt.rule.per_account, attempt.account)

    def succeeded(self, attempt: Attempt) -> None:
        self._storage.clear(f"failures:{attempt.client}")
        if attempt.rule.trusts_clients and not self._is_trusted(attempt):
            self._storage.clear(f"failures:{attempt.address}")
            self._storage.incr(f"trusted:{attempt.client}", TRUST_SECONDS)

    def _is_trusted(self, attempt: Attempt) -> bool:
        return attempt.rule.trusts_clients and bool(self._storage.get(f"trusted:{attempt.client}"))

    def _delay(self, attempt: Attempt, trusted: bool) -> int:
        """Return the seconds that this attempt has to wait."""
        untrusted = attempt.rule.trusts_clients and not trusted
        return max(self._remaining(attempt.client), self._remaining(attempt.address) if untrusted else 0)

    def _remaining(self, key: str) -> int:
        delay = f"delay:{key}"
        return _seconds_until(self._storage.get_expiry(delay)) if self._storage.get(delay) else 0

    def _count_failure(self, key: str, free: int, max_delay: int) -> None:
        """Count a failure; from the last free one on, double the delay with each."""
        failures = self._storage.incr(f"failures:{key}", FAILURES_SECONDS)
        if failures >= free:
            self._storage.clear(f"delay:{key}")
            self._storage.incr(f"delay:{key}", min(2 ** (failures - free), max_delay))


def _seconds_until(moment: float) -> int:
    return max(1, ceil(moment - time.time()))
