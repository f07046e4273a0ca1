"""Allow or delay attempts by counts in any storage of `limits` (docs/adr/0016).

An attempt is counted in each limit before its work starts, and the count is taken back unless the attempt fails.
Concurrent attempts therefore cannot exceed a limit that sequential attempts keep.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from chassis.problems import Problem
from chassis.rate_limit.devices import TRUST_SECONDS

MAX_DELAY_SECONDS = 900
ADDRESS_MAX_DELAY_SECONDS = 10  # short, because real users wait as long after the attack has stopped
FAILURES_SECONDS = 3600
ACCOUNT_FAILURES_PER_HOUR = 30  # from all addresses together
TRUSTED_FAILURES = 10  # since the last success on the device; it proves nothing about a later password


class Rule(NamedTuple):
    """Attempts that are counted under one name, and the Problems that count as failures.

    The first `free` failures of an account from one address cause no delay; `per_hour` are allowed from all addresses
    together. With `limits_address`, failures from one address delay all accounts there; with `few`, an address may make
    only few attempts, failed or not. With `counts_all`, a success counts like a failure.
    """

    name: str
    failures: tuple[type[Problem], ...] = ()
    free: int = 5
    limits_address: bool = False
    few: bool = False
    per_hour: int = ACCOUNT_FAILURES_PER_HOUR
    counts_all: bool = False


class Attempt(NamedTuple):
    """An attempt from an address; without an account only its address counts; `device` is a trusted one."""

    rule: Rule
    address: str
    account: str | None = None
    device: str | None = None


class Hold(NamedTuple):
    """A count that an attempt took, and the delay that it began."""

    key: str
    seconds: int
    delay: str | None = None


class Allowance(NamedTuple):
    """The seconds to wait, 0 if the attempt is allowed; and the budget of its address: `left` within `seconds`."""

    wait: int
    left: int
    seconds: int
    holds: tuple[Hold, ...] = ()


class Window(NamedTuple):
    """A number of attempts in each period."""

    key: str
    item: RateLimitItem

    def take(self, storage: Storage) -> Hold | int:
        """Count one attempt, or return the seconds to wait."""
        hold = Hold(self.item.key_for(self.key), self.item.get_expiry())
        if FixedWindowRateLimiter(storage).hit(self.item, self.key):
            return hold
        give_back(storage, [hold])
        return _seconds_until(storage.get_expiry(hold.key))


class Backoff(NamedTuple):
    """A number of free failures; then one attempt at a time, and after each failure the wait doubles."""

    key: str
    free: int
    max_delay: int

    def take(self, storage: Storage) -> Hold | int:
        """Count one attempt, or return the seconds to wait."""
        failures, rounds, delay = self._keys()
        if storage.incr(failures, FAILURES_SECONDS) < self.free:
            return Hold(failures, FAILURES_SECONDS)
        storage.incr(failures, FAILURES_SECONDS, -1)
        # Of concurrent attempts one starts the delay and is allowed. Only that one counts a round, so the others do
        # not make the next delay longer.
        seconds = min(2 ** min(storage.get(rounds), 10), self.max_delay)
        if storage.incr(delay, seconds) > 1:
            return _seconds_until(storage.get_expiry(delay))
        storage.incr(rounds, FAILURES_SECONDS)
        return Hold(rounds, FAILURES_SECONDS, delay)

    def forget(self, storage: Storage) -> None:
        for key in self._keys():
            storage.clear(key)

    def _keys(self) -> tuple[str, str, str]:
        """Return the keys of the free failures, of the rounds after them, and of the delay."""
        return f"failures:{self.key}", f"rounds:{self.key}", f"delay:{self.key}"


class Trust(NamedTuple):
    """The failures on a device that end its trust, until its next success."""

    key: str

    def take(self, storage: Storage) -> Hold:
        storage.incr(self.key, TRUST_SECONDS)
        return Hold(self.key, TRUST_SECONDS)

    def is_left(self, storage: Storage) -> bool:
        return storage.get(self.key) < TRUSTED_FAILURES


class Policy:
    """Apply the limits to attempts with the counts in one storage."""

    def __init__(self, storage: Storage, per_address: int) -> None:
        self._storage = storage
        self._per_address = RateLimitItemPerMinute(per_address)
        self._few = min(per_address, max(20, per_address // 30))

    def budget(self, rule: Rule) -> RateLimitItem:
        """Return how many attempts an address may make."""
        return RateLimitItemPerMinute(self._few) if rule.few else self._per_address

    def admit(self, attempt: Attempt) -> Allowance:
        """Count the attempt in each of its limits; in none of them when one refuses it."""
        wait, holds = 0, list[Hold]()
        for limit in self._limits(attempt):
            taken = limit.take(self._storage)
            if isinstance(taken, int):
                wait = taken
                break
            holds.append(taken)
        if wait:
            give_back(self._storage, holds)
        # The headers show the budget of the address alone, which tells nothing about an account.
        budget = Window(_address(attempt), self.budget(attempt.rule))
        left, seconds = self._left(budget)
        return Allowance(wait, left, seconds, () if wait else tuple(holds[1:]))  # the budget is used up either way

    def succeeded(self, attempt: Attempt, allowance: Allowance) -> None:
        """Take the attempt back; on a trusted device also clear its earlier failures."""
        if attempt.rule.counts_all:
            return
        self.give_back(allowance)
        if attempt.device:
            self._client(attempt).forget(self._storage)
            self._storage.clear(_trust(attempt).key)

    def give_back(self, allowance: Allowance) -> None:
        give_back(self._storage, allowance.holds)

    def _limits(self, attempt: Attempt) -> Iterable[Window | Backoff | Trust]:
        """Return the limits of the attempt, its budget first.

        Limits whose keys a client cannot invent come first, so that a refused attempt adds no key to the storage.
        """
        rule, address, account = attempt.rule, _address(attempt), _account(attempt)
        if attempt.device and _trust(attempt).is_left(self._storage):
            yield Window(f"trusted:{account}@{attempt.device}", RateLimitItemPerMinute(self._few))
            yield self._client(attempt)
            yield _trust(attempt)
            return
        attempt = attempt._replace(device=None)
        yield Window(address, self.budget(rule))
        if attempt.account is None:
            return
        if rule.limits_address:
            yield Backoff(address, self._few, ADDRESS_MAX_DELAY_SECONDS)
        yield Window(account, RateLimitItemPerHour(max(rule.per_hour, rule.free)))
        yield self._client(attempt)

    def _client(self, attempt: Attempt) -> Backoff:
        key = f"{_account(attempt)}@{attempt.device or attempt.address}"
        return Backoff(key, attempt.rule.free, MAX_DELAY_SECONDS)

    def _left(self, budget: Window) -> tuple[int, int]:
        stats = FixedWindowRateLimiter(self._storage).get_window_stats(budget.item, budget.key)
        return stats.remaining, _seconds_until(stats.reset_time)


def give_back(storage: Storage, holds: Iterable[Hold]) -> None:
    """Take back the counts of an attempt."""
    for hold in holds:
        storage.incr(hold.key, hold.seconds, -1)
        if hold.delay:
            storage.clear(hold.delay)


def _address(attempt: Attempt) -> str:
    return f"{attempt.rule.name}:{attempt.address}"


def _account(attempt: Attempt) -> str:
    return f"{attempt.rule.name}:{attempt.account}"


def _trust(attempt: Attempt) -> Trust:
    return Trust(f"distrust:{_account(attempt)}@{attempt.device}")


def _seconds_until(moment: float) -> int:
    return max(1, ceil(moment - time.time()))
