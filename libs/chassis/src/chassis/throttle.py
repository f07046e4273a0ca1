"""Throttle what an account and an address may try, before anything expensive is done about it.

Four measures, from narrow to wide, so that an attacker delays nobody else (docs/adr/0016):
the same account from the same address waits twice as long after each failure; so do all newcomers at an address where
newcomers do nothing but fail; an account that fails a lot from everywhere waits, except where it is known; an address
has a budget of attempts, and an account that is known there has one of its own.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from threading import Timer
from time import monotonic
from typing import NamedTuple, TypeVar

from flask import Response, after_this_request, current_app, request
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from chassis.errors import Problem
from chassis.metrics import RATE_LIMIT_STORAGE_FAILURES, THROTTLED

log = logging.getLogger(__name__)

LONGEST_DELAY = 900
LONGEST_DELAY_OF_NEWCOMERS = 10  # short: they wait for as long once the attacker has gone
FORGET_AFTER = 3600
KNOWN_FOR = 30 * 86_400
FAILURES_OF_ACCOUNT = 30  # an hour, from everywhere
STORAGE_SECONDS = 0.25  # a storage that takes longer to answer counts as gone
STORAGE_PAUSE_SECONDS = 5.0
SWEEP_SECONDS = 10.0
MOST_KEYS = 250_000  # of some 370 bytes

T = TypeVar("T")


class TooManyRequests(Problem):
    status, code, error = 429, "too_many_requests", "too many attempts, try again later"

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.headers = (("Retry-After", str(seconds)),)


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


class Memory(MemoryStorage):
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


class Ledger:
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


class Throttle:
    """The shared storage's ledger, and one in memory for as long as that storage is away.

    Without its storage a service goes on throttling, each process for itself: refusing everybody would be an
    outage, and refusing nobody an invitation.
    """

    def __init__(self, storage_url: str, per_address: int) -> None:
        item = RateLimitItemPerMinute(per_address)
        self.per_address = item
        self._spare = Ledger(Memory(), item)
        self._shared = self._spare if storage_url == "memory://" else Ledger(_open(storage_url), item)
        self._away_until = 0.0

    def admit(self, who: Attempt) -> Allowance:
        return self._do(lambda ledger: ledger.admit(who))

    def failed(self, who: Attempt) -> None:
        self._do(lambda ledger: ledger.failed(who))

    def succeeded(self, who: Attempt) -> None:
        self._do(lambda ledger: ledger.succeeded(who))

    def _do(self, deed: Callable[[Ledger], T]) -> T:
        if monotonic() < self._away_until:
            return deed(self._spare)
        try:
            return deed(self._shared)
        except StorageError as failure:
            self._away_until = monotonic() + STORAGE_PAUSE_SECONDS
            RATE_LIMIT_STORAGE_FAILURES.inc()
            log.error("rate_limit_storage_lost", extra={"failure": str(failure), "instead": "memory of this process"})  # noqa: TRY400 - the reason is enough
            return deed(self._spare)


@contextmanager
def attempt(rule: Rule, account: str) -> Iterator[None]:
    """Let the block try as `account`, or refuse with 429; remember how it went."""
    throttle: Throttle = current_app.extensions["throttle"]
    who = Attempt(rule, _digest(rule.name, account), f"{rule.name}:{neighbourhood(request.remote_addr)}")
    allowance = throttle.admit(who)
    after_this_request(partial(_tell, rule.name, throttle.per_address, allowance))
    if not allowance.granted:
        THROTTLED.labels(rule.name).inc()
        raise TooManyRequests(allowance.seconds)
    try:
        yield
    except rule.failures:
        throttle.failed(who)
        raise
    throttle.succeeded(who)


def neighbourhood(address: str | None) -> str:
    """Return what counts as one address: of IPv6 the /64, which is one subscriber."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _open(url: str) -> Storage:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # Valkey speaks Redis's protocol, and one client is enough. It must not try again: a request is waiting.
    return RedisStorage(
        url.replace("valkey", "redis", 1),
        key_prefix="throttle",
        wrap_exceptions=True,
        socket_timeout=STORAGE_SECONDS,
        socket_connect_timeout=STORAGE_SECONDS,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
    )


def _digest(rule: str, account: str) -> str:
    """Return the account's key: the storage need not know usernames."""
    return f"{rule}:{hashlib.sha256(account.encode()).hexdigest()[:32]}"


def _until(moment: float) -> int:
    return max(1, ceil(moment - time.time()))


def _tell(rule: str, per_address: RateLimitItem, allowance: Allowance, answer: Response) -> Response:
    """Say what is left in the terms of draft-ietf-httpapi-ratelimit-headers."""
    answer.headers["RateLimit-Policy"] = f'"{rule}";q={per_address.amount};w={per_address.get_expiry()}'
    answer.headers["RateLimit"] = f'"{rule}";r={allowance.left};t={allowance.seconds}'
    return answer
