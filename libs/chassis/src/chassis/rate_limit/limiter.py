"""Limit the attempts of accounts and addresses, before expensive work such as hashing starts (docs/adr/0016)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_network
from time import monotonic
from typing import TypeVar

from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage

from chassis.addresses import parse_address
from chassis.context import current_context
from chassis.problems import Problem
from chassis.rate_limit.memory import BoundedMemory
from chassis.rate_limit.policy import Allowance, Attempt, Policy, Rule
from chassis.telemetry.metrics import RATE_LIMIT_STORAGE_FAILURES, THROTTLED

log = logging.getLogger(__name__)

STORAGE_SECONDS = 0.25  # a slower storage counts as unavailable
STORAGE_PAUSE_SECONDS = 5.0

T = TypeVar("T")


class TooManyRequests(Problem):
    status, code, error = 429, "too_many_requests", "too many attempts, try again later"

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.headers = (("Retry-After", str(seconds)),)


class RateLimiter:
    """Apply the policy in the shared storage; while that is unavailable, in the memory of this process.

    Refusing all attempts instead would be an outage; allowing all would help an attacker. In memory each rule has a
    bound of its own: attempts at one route cannot displace the counts of another.
    """

    def __init__(self, storage_url: str, per_address: int) -> None:
        self._per_address = per_address
        self._in_memory: dict[str, Policy] = {}
        self._shared = None if storage_url == "memory://" else Policy(_open(storage_url), per_address)
        self._away_until = 0.0

    def admit(self, who: Attempt) -> Allowance:
        return self._do(who, lambda policy: policy.admit(who))

    def succeeded(self, who: Attempt, allowance: Allowance) -> None:
        self._do(who, lambda policy: policy.succeeded(who, allowance))

    def give_back(self, who: Attempt, allowance: Allowance) -> None:
        self._do(who, lambda policy: policy.give_back(allowance))

    @contextmanager
    def attempt(self, rule: Rule, account: str | None = None, device: str | None = None) -> Iterator[None]:
        """Run the block as an attempt for `account` and count its outcome; raise TooManyRequests over a limit.

        `account` and `device` become keys of the storage, and the log names the account: pass ids or digests.
        """
        context = current_context()
        who = Attempt(rule, client_network(context.client_address), account, device)
        allowance = self.admit(who)
        context.response_headers += _headers(rule.name, self._memory(rule).budget(rule), allowance)
        if allowance.wait:
            THROTTLED.labels(rule.name).inc()
            _log("attempt_refused", who, context.client_address)
            raise TooManyRequests(allowance.wait)
        try:
            yield
        except rule.failures:
            _log("attempt_failed", who, context.client_address)
            raise
        except BaseException:
            self.give_back(who, allowance)
            raise
        self.succeeded(who, allowance)

    def _do(self, who: Attempt, deed: Callable[[Policy], T]) -> T:
        if self._shared is None or monotonic() < self._away_until:
            return deed(self._memory(who.rule))
        try:
            return deed(self._shared)
        except StorageError as failure:
            self._away_until = monotonic() + STORAGE_PAUSE_SECONDS
            RATE_LIMIT_STORAGE_FAILURES.inc()
            log.error("rate_limit_storage_lost", extra={"failure": str(failure), "instead": "memory of this process"})  # noqa: TRY400 - the reason is enough
            return deed(self._memory(who.rule))

    def _memory(self, rule: Rule) -> Policy:
        return self._in_memory.get(rule.name) or self._in_memory.setdefault(
            rule.name, Policy(BoundedMemory(), self._per_address)
        )


def client_network(address: str) -> str:
    """Return the network that counts as one address: for IPv6 the /64, which belongs to one subscriber."""
    parsed = parse_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed or address)


def _open(url: str) -> Storage:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # The Redis client also speaks to Valkey. No retries: a request is waiting.
    return RedisStorage(
        url.replace("valkey", "redis", 1),
        key_prefix="throttle",
        wrap_exceptions=True,
        socket_timeout=STORAGE_SECONDS,
        socket_connect_timeout=STORAGE_SECONDS,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
    )


def _log(event: str, who: Attempt, address: str) -> None:
    log.info(event, extra={"rule": who.rule.name, "account": who.account, "address": address})


def _headers(rule: str, budget: RateLimitItem, allowance: Allowance) -> list[tuple[str, str]]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers."""
    return [
        ("RateLimit-Policy", f'"{rule}";q={budget.amount};w={budget.get_expiry()}'),
        ("RateLimit", f'"{rule}";r={allowance.left};t={allowance.seconds}'),
    ]
