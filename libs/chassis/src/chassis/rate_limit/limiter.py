"""Limit the attempts of accounts and addresses, before expensive work such as hashing starts.

Four limits, from narrow to wide, so that an attacker delays no other user (docs/adr/0016):
1. An account at one address waits after failures, twice as long after each one.
2. Untrusted clients at an address wait after many failures of untrusted clients without a success.
3. An account with many failures from all addresses together waits, except for its trusted clients.
4. Each address has a budget of attempts; each trusted client has a budget of its own.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from time import monotonic
from typing import TypeVar

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage

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

    Refusing all attempts instead would be an outage; allowing all would help an attacker.
    """

    def __init__(self, storage_url: str, per_address: int) -> None:
        item = RateLimitItemPerMinute(per_address)
        self.per_address = item
        self._spare = Policy(BoundedMemory(), item)
        self._shared = self._spare if storage_url == "memory://" else Policy(_open(storage_url), item)
        self._away_until = 0.0

    def admit(self, who: Attempt) -> Allowance:
        return self._do(lambda policy: policy.admit(who))

    def failed(self, who: Attempt) -> None:
        self._do(lambda policy: policy.failed(who))

    def succeeded(self, who: Attempt) -> None:
        self._do(lambda policy: policy.succeeded(who))

    @contextmanager
    def attempt(self, rule: Rule, account: str) -> Iterator[None]:
        """Run the block as an attempt for `account` and count its outcome; raise TooManyRequests over a limit."""
        context = current_context()
        who = Attempt(rule, _digest(rule.name, account), f"{rule.name}:{client_network(context.client_address)}")
        allowance = self.admit(who)
        context.response_headers += _headers(rule.name, self.per_address, allowance)
        if not allowance.granted:
            THROTTLED.labels(rule.name).inc()
            raise TooManyRequests(allowance.seconds)
        try:
            yield
        except rule.failures:
            self.failed(who)
            raise
        self.succeeded(who)

    def _do(self, deed: Callable[[Policy], T]) -> T:
        if monotonic() < self._away_until:
            return deed(self._spare)
        try:
            return deed(self._shared)
        except StorageError as failure:
            self._away_until = monotonic() + STORAGE_PAUSE_SECONDS
            RATE_LIMIT_STORAGE_FAILURES.inc()
            log.error("rate_limit_storage_lost", extra={"failure": str(failure), "instead": "memory of this process"})  # noqa: TRY400 - the reason is enough
            return deed(self._spare)


def client_network(address: str) -> str:
    """Return the network that counts as one address: for IPv6 the /64, which belongs to one subscriber."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


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


def _digest(rule: str, account: str) -> str:
    """Return the account's key: a digest, so that the storage holds no usernames."""
    return f"{rule}:{hashlib.sha256(account.encode()).hexdigest()[:32]}"


def _headers(rule: str, per_address: RateLimitItem, allowance: Allowance) -> list[tuple[str, str]]:
    """Return the headers of draft-ietf-httpapi-ratelimit-headers."""
    return [
        ("RateLimit-Policy", f'"{rule}";q={per_address.amount};w={per_address.get_expiry()}'),
        ("RateLimit", f'"{rule}";r={allowance.left};t={allowance.seconds}'),
    ]
