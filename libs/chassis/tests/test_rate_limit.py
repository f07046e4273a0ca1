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
from itertools import count, islice, repeat

import pytest

from chassis.rate_limit import limiter, memory
from chassis.rate_limit.limiter import RateLimiter, client_network
from chassis.rate_limit.memory import BoundedMemory
from chassis.rate_limit.policy import Attempt, Policy, Rule

SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
needs_server = pytest.mark.skipif(SERVER is None, reason="neither redis-server nor valkey-server is installed")
LOGIN = Rule("login", limits_address=True)
ALICE = Attempt(LOGIN, "192.0.2.1", "alice")
BOB = ALICE._replace(account="bob")
ON_DEVICE = ALICE._replace(device="d-1")


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


def fail(rate_limiter: RateLimiter, attempt: Attempt) -> int:
    """Make an attempt that fails if it may go on; return how long to wait."""
    return rate_limiter.admit(attempt).wait


def succeed(rate_limiter: RateLimiter, attempt: Attempt) -> int:
    """Make an attempt that succeeds if it may go on; return how long to wait."""
    allowance = rate_limiter.admit(attempt)
    if not allowance.wait:
        rate_limiter.succeeded(attempt, allowance)
    return allowance.wait


def fail_as_others(rate_limiter: RateLimiter, count: int, rule: Rule = LOGIN) -> list[int]:
    """Fail at ever new accounts from Alice's address."""
    return [fail(rate_limiter, ALICE._replace(rule=rule, account=f"victim{number}")) for number in range(count)]


def test_failures_beyond_the_free_ones_delay_on_every_replica(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    strict = ALICE._replace(rule=LOGIN._replace(free=3))
    assert [one.admit(strict)[:3] for _ in range(3)] == [(0, 9, 60), (0, 8, 60), (0, 7, 60)]
    assert other.admit(strict)[:3] == (1, 7, 60)


def test_success_takes_back_its_own_attempt_and_no_failure(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    strict = ALICE._replace(rule=LOGIN._replace(free=3))
    assert [fail(one, strict), succeed(other, strict), succeed(other, strict), fail(one, strict)] == [0] * 4
    assert succeed(other, strict) == 0  # it began a delay, and ended it
    assert [fail(one, strict), fail(one, strict)] == [0, 1]


def test_success_on_a_trusted_device_clears_its_failures(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    for _ in range(2):
        assert [fail(one, ON_DEVICE) for _ in range(4)] == [0] * 4
        assert succeed(other, ON_DEVICE) == 0


def test_concurrent_attempts_take_no_more_than_the_free_ones(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda turn: fail((one, other)[turn % 2], ALICE), range(30)))
    assert waits.count(0) == 5


@pytest.mark.parametrize(("elsewhere", "free"), [({"account": "victim"}, 20), ({"address": "198.51.100."}, 30)])
def test_concurrent_attempts_share_the_limits_of_address_and_account(elsewhere: dict[str, str], free: int) -> None:
    rate_limiter = RateLimiter("memory://", per_address=600)

    def attempt(number: int) -> int:
        return fail(rate_limiter, ALICE._replace(**{name: f"{text}{number}" for name, text in elsewhere.items()}))

    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(attempt, range(60)))
    assert waits.count(0) == free


def test_refused_attempt_leaves_all_counts_as_they_were() -> None:
    storage = BoundedMemory()
    policy = Policy(storage, 600)
    for number in range(20):
        policy.admit(ALICE._replace(account=f"victim{number}"))
    keys = set(storage._counters)
    assert policy.admit(BOB)[:2] == (1, 580)
    assert set(storage._counters) == keys


def test_address_has_a_budget_and_each_device_one_of_its_own(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    assert fail_as_others(one, 12) == [0] * 10 + [60] * 2
    assert other.admit(BOB).wait == 60
    assert other.admit(BOB._replace(address="192.0.2.2")).wait == 0
    assert [succeed(other, ON_DEVICE) for _ in range(11)] == [0] * 10 + [60]
    assert succeed(one, ON_DEVICE._replace(device="d-2")) == 0


def test_what_is_left_depends_on_the_address_alone(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    assert one.admit(BOB).left == 9
    for attempt in (ALICE, ON_DEVICE, ALICE, ON_DEVICE):
        succeed(other, attempt)
    assert one.admit(BOB).left == 6
    assert other.admit(ON_DEVICE).left == 6


def test_failures_from_many_addresses_delay_untrusted_devices_only(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    assert [fail(one, ALICE._replace(address=f"198.51.100.{number}")) for number in range(30)] == [0] * 30
    elsewhere = {"address": "203.0.113.1"}
    assert 3500 <= other.admit(ALICE._replace(**elsewhere)).wait <= 3600
    assert other.admit(ON_DEVICE._replace(**elsewhere)).wait == 0
    assert other.admit(BOB._replace(**elsewhere)).wait == 0


def test_failures_on_a_trusted_device_delay_that_device_only() -> None:
    rate_limiter = RateLimiter("memory://", per_address=600)
    assert [fail(rate_limiter, ON_DEVICE) for _ in range(6)] == [0] * 5 + [1]
    assert rate_limiter.admit(ON_DEVICE._replace(device="d-2")).wait == 0
    assert [fail(rate_limiter, ALICE) for _ in range(6)] == [0] * 5 + [1]


def test_ten_failures_end_the_trust_in_a_device_until_it_succeeds(clock: Callable[[float], None]) -> None:
    rate_limiter = RateLimiter("memory://", per_address=600)
    # given an account that is locked for strangers
    for number in range(30):
        fail(rate_limiter, ALICE._replace(address=f"198.51.100.{number}"))
    # when
    granted = [clock(900) or fail(rate_limiter, ON_DEVICE) for _ in range(10)]
    # then
    assert granted == [0] * 10
    for number in range(30):
        fail(rate_limiter, ALICE._replace(address=f"198.51.100.{number}"))
    assert fail(rate_limiter, ON_DEVICE) > 60
    assert rate_limiter.admit(ON_DEVICE._replace(device="d-2")).wait == 0
    # and when the right password comes after the lock
    clock(3600)
    assert succeed(rate_limiter, ON_DEVICE) == 0
    for number in range(30):
        fail(rate_limiter, ALICE._replace(address=f"198.51.100.{number}"))
    assert rate_limiter.admit(ON_DEVICE).wait == 0


def waits_until_granted(
    rate_limiter: RateLimiter, clock: Callable[[float], None], attempts: Iterator[Attempt], count: int
) -> list[int]:
    """Fail at each attempt, again after each wait; return the waits."""
    waits = []
    for attempt in islice(attempts, count):
        waits.append(fail(rate_limiter, attempt))
        if waits[-1]:
            clock(waits[-1])
            assert fail(rate_limiter, attempt) == 0
    return waits


def test_delay_doubles_with_each_failure_up_to_15_minutes(clock: Callable[[float], None]) -> None:
    rate_limiter = RateLimiter("memory://", per_address=10_000)
    waits = waits_until_granted(rate_limiter, clock, repeat(ALICE), 17)
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_attempt_is_granted_after_the_delay(clock: Callable[[float], None]) -> None:
    rate_limiter = RateLimiter("memory://", per_address=10)
    waits_until_granted(rate_limiter, clock, repeat(ALICE), 6)
    clock(1.9)
    assert rate_limiter.admit(ALICE).wait == 1
    clock(0.2)
    assert rate_limiter.admit(ALICE).wait == 0


@pytest.mark.parametrize(("per_address", "free"), [(60, 20), (600, 20), (6000, 200)])
def test_failures_at_many_accounts_double_the_address_delay_up_to_10_s(
    clock: Callable[[float], None], per_address: int, free: int
) -> None:
    rate_limiter = RateLimiter("memory://", per_address=per_address)
    others = (ALICE._replace(account=f"victim{number}") for number in count())
    assert waits_until_granted(rate_limiter, clock, others, free) == [0] * free
    assert waits_until_granted(rate_limiter, clock, others, 6) == [1, 2, 4, 8, 10, 10]


def test_address_delay_spares_trusted_devices_and_other_addresses() -> None:
    rate_limiter = RateLimiter("memory://", per_address=600)
    fail_as_others(rate_limiter, 20)
    assert rate_limiter.admit(BOB).wait == 1
    assert rate_limiter.admit(ON_DEVICE).wait == 0
    assert rate_limiter.admit(BOB._replace(address="192.0.2.2")).wait == 0


def test_own_account_does_not_clear_the_failures_at_an_address() -> None:
    rate_limiter, waits = RateLimiter("memory://", per_address=600), []
    for number in range(30):
        waits.append(fail(rate_limiter, ALICE._replace(account=f"victim{number}")))
        succeed(rate_limiter, BOB)
    assert waits.count(0) == 20


def test_rule_without_accounts_counts_by_address_alone(limiters: tuple[RateLimiter, RateLimiter]) -> None:
    one, other = limiters
    refreshing = Attempt(Rule("refresh"), "192.0.2.1")
    assert [one.admit(refreshing).wait for _ in range(11)] == [0] * 10 + [60]
    assert other.admit(refreshing._replace(address="192.0.2.2")).wait == 0


@pytest.mark.parametrize(("per_address", "few"), [(10, 10), (600, 20), (6000, 200)])
def test_rule_of_few_attempts_has_a_smaller_budget(per_address: int, few: int) -> None:
    rate_limiter = RateLimiter("memory://", per_address=per_address)
    registering = Attempt(Rule("register", few=True), "192.0.2.1", "alice")
    allowances = [rate_limiter.admit(registering._replace(account=f"user{number}")) for number in range(few + 1)]
    assert [allowance.wait for allowance in allowances] == [0] * few + [60]
    assert [allowance.left for allowance in allowances[:3]] == [few - 1, few - 2, few - 3]


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


def test_full_memory_drops_what_was_written_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_KEYS", 100)
    storage = BoundedMemory()
    for number in range(100):
        storage.incr(f"key-{number}", 60)
    storage.incr("key-0", 60)
    for number in range(50):
        storage.incr(f"new-{number}", 60)
    assert len(storage) == 100
    assert [storage.get(f"key-{number}") for number in (0, 1, 50, 51, 99)] == [2, 0, 0, 1, 1]


def test_filling_the_memory_of_one_rule_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_KEYS", 100)
    rate_limiter = RateLimiter("memory://", per_address=600)
    for _ in range(5):
        fail(rate_limiter, ALICE)
    for number in range(200):
        rate_limiter.admit(Attempt(Rule("refresh"), f"198.51.100.{number}"))
    assert rate_limiter.admit(ALICE).wait == 1


def test_attempts_that_succeed_leave_their_address_alone_in_memory() -> None:
    storage = BoundedMemory()
    policy = Policy(storage, 600)
    for number in range(100):
        attempt = ALICE._replace(account=f"user{number}")
        policy.succeeded(attempt, policy.admit(attempt))
    assert len(storage) == 1


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
        waits = [fail(rate_limiter, ALICE) for _ in range(6)]
    # then
    assert waits == [0] * 5 + [1]
    assert {record.message for record in caplog.records} == {"rate_limit_storage_lost"}
    assert limiter.RATE_LIMIT_STORAGE_FAILURES._value.get() == lost + 6
    # and when it is back
    redis.start()
    assert rate_limiter.admit(ALICE)[:3] == (0, 9, 60)


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
        ("192.0.2.1:443", "192.0.2.1"),
        ("[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_client_network_is_the_address_or_the_ipv6_64(address: str | None, same: str) -> None:
    assert client_network(address) == same
