"""The rate-limit policy on each kind of storage, and the limiter without its shared storage."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from limits import RateLimitItemPerMinute

from chassis.rate_limit import limiter, memory
from chassis.rate_limit.limiter import RateLimiter, client_network
from chassis.rate_limit.memory import BoundedMemory
from chassis.rate_limit.policy import Allowance, Attempt, Policy, Rule

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
needs_server = pytest.mark.skipif(SERVER is None, reason="neither redis-server nor valkey-server is installed")
LOGIN = Rule("login", failures=(), trusts_clients=True)
SHORT = LOGIN._replace(free=3)
ALICE = Attempt(LOGIN, "login:alice", "login:192.0.2.1")
BOB = ALICE._replace(account="login:bob")
GRANTED = Allowance(granted=True, left=9, seconds=60)


class Redis:
    """A real Redis or Valkey server on a free port."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(SERVER), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self._answers():
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(5) == b"+PONG"
        except ConnectionError:
            return False


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = Redis()
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["memory", pytest.param("redis", marks=needs_server)])
def limiters(request: pytest.FixtureRequest) -> tuple[RateLimiter, RateLimiter]:
    """Return two limiters that share a storage; in memory, the same one twice."""
    if request.param == "memory":
        alone = RateLimiter("memory://", per_address=10)
        return alone, alone
    url = request.getfixturevalue("redis").url
    return RateLimiter(url, per_address=10), RateLimiter(url.replace("redis:", "valkey:"), per_address=10)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that advances the time: clock(2.5)."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def test_failures_beyond_the_free_ones_delay_on_every_replica(
    limiters: tuple[RateLimiter, RateLimiter],
) -> None:
    one, other = limiters
    strict = ALICE._replace(rule=SHORT)
    for failure in range(3):
        assert one.admit(ALICE) == (True, 9 - failure, 60)
        one.failed(strict)
    refused = other.admit(ALICE)
    assert (refused.granted, refused.left, refused.seconds) == (False, 0, 1)


def test_success_clears_the_failures_on_every_replica(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    strict = ALICE._replace(rule=SHORT)
    for _ in range(2):
        one.failed(strict)
    other.succeeded(ALICE)
    for _ in range(2):
        one.failed(strict)
    assert other.admit(ALICE).granted is True


def test_address_has_a_budget_and_each_trusted_client_its_own(
    limiters: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = limiters
    one.succeeded(ALICE)
    stranger = ALICE._replace(account="login:mallory")
    # when
    spent = [one.admit(stranger).granted for _ in range(12)]
    # then
    assert spent == [True] * 10 + [False] * 2
    assert other.admit(stranger._replace(account="login:other")).granted is False
    assert other.admit(ALICE).granted is True
    assert other.admit(stranger._replace(address="login:192.0.2.2")).granted is True


def test_failures_from_many_addresses_delay_untrusted_clients_only(
    limiters: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = limiters
    one.succeeded(ALICE)
    # when
    for number in range(30):
        elsewhere = ALICE._replace(address=f"login:198.51.100.{number}")
        assert one.admit(elsewhere).granted is True
        one.failed(elsewhere)
    # then
    refused = other.admit(ALICE._replace(address="login:203.0.113.1"))
    assert refused.granted is False
    assert 3500 <= refused.seconds <= 3600
    assert other.admit(ALICE).granted is True
    assert other.admit(BOB._replace(address="login:203.0.113.1")).granted is True


def test_delay_doubles_with_each_failure_up_to_15_minutes(clock: Callable[[float], None]) -> None:
    rate_limiter, delays = RateLimiter("memory://", per_address=10_000), []
    for _ in range(16):
        rate_limiter.failed(ALICE)
        allowance = rate_limiter.admit(ALICE)
        delays.append(0 if allowance.granted else allowance.seconds)
        clock(delays[-1])
    assert delays == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_attempt_is_granted_after_the_delay(clock: Callable[[float], None]) -> None:
    rate_limiter = RateLimiter("memory://", per_address=10)
    for _ in range(6):
        rate_limiter.failed(ALICE)
    clock(1.9)
    assert rate_limiter.admit(ALICE).granted is False
    clock(0.2)
    assert rate_limiter.admit(ALICE).granted is True


def untrusted_clients_fail(rate_limiter: RateLimiter, numbers: range, rule: Rule = LOGIN) -> None:
    for number in numbers:
        rate_limiter.failed(ALICE._replace(rule=rule, account=f"login:victim{number}"))


@pytest.mark.parametrize(("per_address", "free"), [(60, 19), (600, 19), (6000, 199)])
def test_untrusted_failures_double_the_address_delay_up_to_10_seconds(
    clock: Callable[[float], None], per_address: int, free: int
) -> None:
    rate_limiter, delays = RateLimiter("memory://", per_address=per_address), []
    untrusted_clients_fail(rate_limiter, range(free))
    assert rate_limiter.admit(ALICE).granted is True
    for number in range(free, free + 6):
        untrusted_clients_fail(rate_limiter, range(number, number + 1))
        delays.append(rate_limiter.admit(ALICE).seconds)
        clock(delays[-1])
    assert delays == [1, 2, 4, 8, 10, 10]
    assert rate_limiter.admit(ALICE).granted is True


def test_untrusted_delay_spares_trusted_clients_and_other_addresses(
    limiters: tuple[RateLimiter, RateLimiter],
) -> None:
    one, other = limiters
    one.succeeded(ALICE)
    untrusted_clients_fail(one, range(30))
    assert other.admit(BOB).granted is False
    assert other.admit(ALICE).granted is True
    assert other.admit(BOB._replace(address="login:192.0.2.2")).granted is True


def test_only_an_untrusted_success_clears_the_address_failures(
    limiters: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = limiters
    untrusted_clients_fail(one, range(19))
    # when
    one.succeeded(ALICE)
    # then
    untrusted_clients_fail(one, range(19))
    assert other.admit(BOB).granted is True
    # and when
    one.succeeded(ALICE)
    # then
    untrusted_clients_fail(one, range(19, 30))
    assert other.admit(BOB).granted is False


def test_rule_without_trust_applies_the_address_budget_to_all(
    limiters: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = limiters
    refreshing = Rule("refresh", failures=())
    one.succeeded(ALICE._replace(rule=refreshing))
    # when
    untrusted_clients_fail(one, range(100), refreshing)
    # then all clients share the budget without delays
    others = [other.admit(BOB._replace(rule=refreshing)).granted for _ in range(10)]
    assert others == [True] * 10
    assert other.admit(ALICE._replace(rule=refreshing)).granted is False


def test_memory_removes_expired_counters_a_few_per_write(clock: Callable[[float], None]) -> None:
    # given
    storage = BoundedMemory()
    storage.incr("long", 60)
    for number in range(100):
        storage.incr(f"short-{number}", 1)
    clock(2)
    # when
    storage.incr("other", 60)
    # then
    assert 102 - memory.SWEPT_PER_WRITE <= len(storage) < 102
    for _ in range(100):
        storage.incr("other", 60)
    assert (storage.get("long"), len(storage)) == (1, 2)


def test_memory_counts_from_zero_after_expiry(clock: Callable[[float], None]) -> None:
    storage = BoundedMemory()
    assert [storage.incr("key", 2) for _ in range(3)] == [1, 2, 3]
    clock(2)
    assert storage.get("key") == 0
    assert storage.get_expiry("key") == time.time()
    assert storage.incr("key", 2) == 1
    assert storage.get_expiry("key") == time.time() + 2


def test_memory_counts_every_write_of_concurrent_threads() -> None:
    storage = BoundedMemory()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: storage.incr("key", 60), range(2000)))
    assert storage.get("key") == 2000


def test_memory_starts_no_thread() -> None:
    before = threading.active_count()
    BoundedMemory().incr("key", 60)
    assert threading.active_count() == before


def test_full_memory_drops_all_counters_and_logs_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(memory, "MAX_KEYS", 100)
    storage = BoundedMemory()
    policy = Policy(storage, RateLimitItemPerMinute(600))
    # when
    with caplog.at_level(logging.WARNING):
        for number in range(200):
            attempt = Attempt(LOGIN, f"login:victim{number}", f"login:198.51.100.{number}")
            assert policy.admit(attempt).granted is True
            policy.failed(attempt)
            assert len(storage) <= 100
    # then
    assert {record.message for record in caplog.records} == {"rate_limit_memory_full"}
    for _ in range(5):
        policy.failed(ALICE)
    assert policy.admit(ALICE).granted is False


def test_longer_of_two_delays_applies() -> None:
    rate_limiter = RateLimiter("memory://", per_address=600)
    untrusted_clients_fail(rate_limiter, range(30))
    for _ in range(5):
        rate_limiter.failed(ALICE)
    assert rate_limiter.admit(ALICE).seconds == 10


@needs_server
def test_limiter_counts_in_memory_and_logs_while_storage_is_down(
    redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(limiter, "STORAGE_PAUSE_SECONDS", 0)
    rate_limiter = RateLimiter(redis.url, per_address=10)
    lost = limiter.RATE_LIMIT_STORAGE_FAILURES._value.get()
    # when
    redis.kill()
    with caplog.at_level(logging.ERROR):
        assert rate_limiter.admit(ALICE) == GRANTED
        for _ in range(5):
            rate_limiter.failed(ALICE)
        refused = rate_limiter.admit(ALICE)
    # then
    assert refused.granted is False
    assert {record.message for record in caplog.records} == {"rate_limit_storage_lost"}
    assert limiter.RATE_LIMIT_STORAGE_FAILURES._value.get() == lost + 7
    # and when it is back
    redis.start()
    assert rate_limiter.admit(ALICE) == GRANTED


def test_hanging_storage_delays_one_attempt_only() -> None:
    # given a server that accepts connections and never answers
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rate_limiter = RateLimiter(f"redis://127.0.0.1:{silent.getsockname()[1]}", per_address=10)
        asked: list[socket.socket] = []
        listening = threading.Thread(target=lambda: asked.append(silent.accept()[0]))
        listening.start()
        # when
        begun = time.monotonic()
        allowances = [rate_limiter.admit(ALICE) for _ in range(5)]
        assert time.monotonic() - begun < 10
        listening.join(5)
        silent.setblocking(False)
        # then
        assert [allowance.left for allowance in allowances] == [9, 8, 7, 6, 5]
        with pytest.raises(BlockingIOError):
            silent.accept()
        asked[0].close()


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_client_network_is_the_address_or_the_ipv6_64(address: str | None, same: str) -> None:
    assert client_network(address) == same
