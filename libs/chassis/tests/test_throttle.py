"""The throttle's own rules, on each kind of storage; what the storage's absence changes."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from chassis.rate_limit import limiter as module
from chassis.rate_limit import policy as ledger
from chassis.rate_limit.limiter import RateLimiter, client_network
from chassis.rate_limit.policy import Allowance, Attempt, BoundedMemory, Rule

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
needs_server = pytest.mark.skipif(SERVER is None, reason="neither redis-server nor valkey-server is installed")
LOGIN = Rule("login", failures=(), acquaints=True)
SHORT = LOGIN._replace(free=3)
ALICE = Attempt(LOGIN, "login:alice", "login:192.0.2.1")
BOB = ALICE._replace(account="login:bob")
GRANTED = Allowance(granted=True, left=9, seconds=60)


class Redis:
    """A real server on a port of its own."""

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
def replicas(request: pytest.FixtureRequest) -> tuple[RateLimiter, RateLimiter]:
    """Return two that share a storage: one process's memory with itself."""
    if request.param == "memory":
        alone = RateLimiter("memory://", per_address=10)
        return alone, alone
    url = request.getfixturevalue("redis").url
    return RateLimiter(url, per_address=10), RateLimiter(url.replace("redis:", "valkey:"), per_address=10)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the time pass: clock(2.5)."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def test_the_failures_that_cost_nothing_then_a_delay_on_every_replica(
    replicas: tuple[RateLimiter, RateLimiter],
) -> None:
    one, other = replicas
    hasty = ALICE._replace(rule=SHORT)
    for failure in range(3):
        assert one.admit(ALICE) == (True, 9 - failure, 60)
        one.failed(hasty)
    refused = other.admit(ALICE)
    assert (refused.granted, refused.left, refused.seconds) == (False, 0, 1)


def test_a_success_forgets_the_failures_on_every_replica(replicas: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = replicas
    hasty = ALICE._replace(rule=SHORT)
    for _ in range(2):
        one.failed(hasty)
    other.succeeded(ALICE)
    for _ in range(2):
        one.failed(hasty)
    assert other.admit(ALICE).granted is True


def test_an_address_has_a_budget_and_an_account_that_is_known_there_one_of_its_own(
    replicas: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = replicas
    one.succeeded(ALICE)
    stranger = ALICE._replace(account="login:mallory")
    # when
    spent = [one.admit(stranger).granted for _ in range(12)]
    # then
    assert spent == [True] * 10 + [False] * 2
    assert other.admit(stranger._replace(account="login:other")).granted is False
    assert other.admit(ALICE).granted is True
    assert other.admit(stranger._replace(address="login:192.0.2.2")).granted is True


def test_failures_from_many_addresses_delay_an_account_where_it_is_not_known(
    replicas: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = replicas
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


def test_the_delay_doubles_with_each_failure_up_to_a_quarter_of_an_hour(clock: Callable[[float], None]) -> None:
    throttle, delays = RateLimiter("memory://", per_address=10_000), []
    for _ in range(16):
        throttle.failed(ALICE)
        allowance = throttle.admit(ALICE)
        delays.append(0 if allowance.granted else allowance.seconds)
        clock(delays[-1])
    assert delays == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_after_the_delay_one_may_try_again(clock: Callable[[float], None]) -> None:
    throttle = RateLimiter("memory://", per_address=10)
    for _ in range(6):
        throttle.failed(ALICE)
    clock(1.9)
    assert throttle.admit(ALICE).granted is False
    clock(0.2)
    assert throttle.admit(ALICE).granted is True


def newcomers_fail(throttle: RateLimiter, numbers: range, rule: Rule = LOGIN) -> None:
    for number in numbers:
        throttle.failed(ALICE._replace(rule=rule, account=f"login:victim{number}"))


@pytest.mark.parametrize(("per_address", "free"), [(60, 19), (600, 19), (6000, 199)])
def test_newcomers_who_only_fail_wait_twice_as_long_each_time_at_their_address_up_to_ten_seconds(
    clock: Callable[[float], None], per_address: int, free: int
) -> None:
    throttle, delays = RateLimiter("memory://", per_address=per_address), []
    newcomers_fail(throttle, range(free))
    assert throttle.admit(ALICE).granted is True
    for number in range(free, free + 6):
        newcomers_fail(throttle, range(number, number + 1))
        delays.append(throttle.admit(ALICE).seconds)
        clock(delays[-1])
    assert delays == [1, 2, 4, 8, 10, 10]
    assert throttle.admit(ALICE).granted is True


def test_who_is_known_at_an_address_or_comes_from_another_does_not_wait_for_newcomers(
    replicas: tuple[RateLimiter, RateLimiter],
) -> None:
    one, other = replicas
    one.succeeded(ALICE)
    newcomers_fail(one, range(30))
    assert other.admit(BOB).granted is False
    assert other.admit(ALICE).granted is True
    assert other.admit(BOB._replace(address="login:192.0.2.2")).granted is True


def test_a_newcomer_s_success_forgets_the_failures_of_newcomers_there_a_known_account_s_does_not(
    replicas: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = replicas
    newcomers_fail(one, range(19))
    # when
    one.succeeded(ALICE)
    # then
    newcomers_fail(one, range(19))
    assert other.admit(BOB).granted is True
    # and when
    one.succeeded(ALICE)
    # then
    newcomers_fail(one, range(19, 30))
    assert other.admit(BOB).granted is False


def test_where_nobody_gets_known_there_are_no_newcomers_and_nothing_is_remembered_of_who_succeeds(
    replicas: tuple[RateLimiter, RateLimiter],
) -> None:
    # given
    one, other = replicas
    refreshing = Rule("refresh", failures=())
    one.succeeded(ALICE._replace(rule=refreshing))
    # when
    newcomers_fail(one, range(100), refreshing)
    # then the budget alone counts, for all together
    others = [other.admit(BOB._replace(rule=refreshing)).granted for _ in range(10)]
    assert others == [True] * 10
    assert other.admit(ALICE._replace(rule=refreshing)).granted is False


def test_a_memory_is_not_looked_through_after_each_write() -> None:
    memory = BoundedMemory()
    memory.incr("one", 60)
    sweep = memory.timer
    time.sleep(0.1)
    memory.incr("other", 60)
    assert memory.timer is sweep
    assert sweep.is_alive()
    assert sweep.daemon


def test_a_memory_lets_go_of_what_has_expired(clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "SWEEP_SECONDS", 0.05)
    memory = BoundedMemory()
    memory.incr("short", 1)
    memory.incr("long", 60)
    clock(2)
    while "short" in memory.storage:
        memory.incr("other", 60)
        time.sleep(0.01)
    assert memory.storage["long"] == 1


def test_a_full_memory_forgets_everything_and_says_so_rather_than_grow(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(ledger, "MOST_KEYS", 100)
    throttle = RateLimiter("memory://", per_address=600)
    memory = throttle._spare._storage
    assert isinstance(memory, BoundedMemory)
    # when
    with caplog.at_level(logging.WARNING):
        for number in range(200):
            stranger = Attempt(LOGIN, f"login:victim{number}", f"login:198.51.100.{number}")
            assert throttle.admit(stranger).granted is True
            throttle.failed(stranger)
            assert len(memory.storage) <= 100
    # then
    assert {record.message for record in caplog.records} == {"rate_limit_memory_full"}
    for _ in range(5):
        throttle.failed(ALICE)
    assert throttle.admit(ALICE).granted is False


def test_the_longer_of_two_delays_counts() -> None:
    throttle = RateLimiter("memory://", per_address=600)
    newcomers_fail(throttle, range(30))
    for _ in range(5):
        throttle.failed(ALICE)
    assert throttle.admit(ALICE).seconds == 10


@needs_server
def test_while_the_storage_is_gone_each_process_throttles_by_itself_and_says_so(
    redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(module, "STORAGE_PAUSE_SECONDS", 0)
    throttle = RateLimiter(redis.url, per_address=10)
    lost = module.RATE_LIMIT_STORAGE_FAILURES._value.get()
    # when
    redis.kill()
    with caplog.at_level(logging.ERROR):
        assert throttle.admit(ALICE) == GRANTED
        for _ in range(5):
            throttle.failed(ALICE)
        refused = throttle.admit(ALICE)
    # then
    assert refused.granted is False
    assert {record.message for record in caplog.records} == {"rate_limit_storage_lost"}
    assert module.RATE_LIMIT_STORAGE_FAILURES._value.get() == lost + 7
    # and when it is back
    redis.start()
    assert throttle.admit(ALICE) == GRANTED


def test_a_storage_that_hangs_costs_one_short_wait_and_then_none() -> None:
    # given a server that accepts and says nothing
    with socket.create_server(("127.0.0.1", 0)) as silent:
        throttle = RateLimiter(f"redis://127.0.0.1:{silent.getsockname()[1]}", per_address=10)
        asked: list[socket.socket] = []
        listening = threading.Thread(target=lambda: asked.append(silent.accept()[0]))
        listening.start()
        # when
        begun = time.monotonic()
        allowances = [throttle.admit(ALICE) for _ in range(5)]
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
        (None, ""),
        ("unix", "unix"),
    ],
)
def test_what_counts_as_one_address(address: str | None, same: str) -> None:
    assert client_network(address) == same
