"""The hashing pool: few threads, bounded waiting, low priority."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from user_service.accounts import hashing
from user_service.accounts.hashing import Busy, HashingPool, hashing_slots

SLOTS = 3


class Work:
    """Work that blocks until `go` is set, and counts how often it runs at once."""

    def __init__(self) -> None:
        self.go, self.lock = threading.Event(), threading.Lock()
        self.running = self.most = 0

    def __call__(self) -> str:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.go.wait(10)
        with self.lock:
            self.running -= 1
        return "done"


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.go.set()


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as callers:
        yield callers


def taken(pool: HashingPool) -> int:
    return SLOTS - pool._slots._value


def test_pool_without_a_free_slot_refuses_and_later_accepts_again(work: Work, callers: ThreadPoolExecutor) -> None:
    # given
    pool = HashingPool(SLOTS)
    held = [callers.submit(pool.run, work) for _ in range(SLOTS)]
    while taken(pool) < SLOTS:
        pass
    # when
    with pytest.raises(Busy) as refused:
        pool.run(work)
    # then
    assert (refused.value.status, refused.value.headers) == (503, (("Retry-After", "1"),))
    work.go.set()
    assert [future.result(5) for future in held] == ["done"] * SLOTS
    assert pool.run(work) == "done"
    assert taken(pool) == 0


def test_one_hash_per_processor_runs_at_once(
    work: Work, callers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_processors", lambda: 2)
    pool = HashingPool(SLOTS)
    held = [callers.submit(pool.run, work) for _ in range(SLOTS)]
    while taken(pool) < SLOTS or work.running < 2:
        pass
    work.go.set()
    assert [future.result(5) for future in held] == ["done"] * SLOTS
    assert work.most == 2


def test_work_that_waits_too_long_is_refused_and_never_runs(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr(hashing, "_processors", lambda: 1)
    pool, late = HashingPool(SLOTS), []
    held = pool._threads.submit(work)
    while work.running < 1:
        pass
    # when
    monkeypatch.setattr(hashing, "MAX_WAIT_SECONDS", 0.05)
    with pytest.raises(Busy):
        pool.run(late.append, "late")
    work.go.set()
    held.result(5)
    # then
    assert pool.run(lambda: "next") == "next"
    assert late == []
    assert taken(pool) == 0


def test_exception_of_the_work_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        HashingPool(SLOTS).run(lambda: 1 // 0)


@pytest.mark.parametrize(("threads", "slots"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (8, 6), (12, 9), (32, 24)])
def test_hashing_slots_leave_server_threads_free(threads: int, slots: int) -> None:
    assert hashing_slots(threads) == slots


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a niceness")
@pytest.mark.parametrize("nice", [0, 10, 17])
def test_hashing_threads_are_nicer_than_their_process(nice: int) -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def hash_in_a_nice_thread() -> tuple[int, int]:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(19, niceness() + nice))
        return niceness(), HashingPool(SLOTS).run(niceness)

    with ThreadPoolExecutor(1) as server:
        own, hashing = server.submit(hash_in_a_nice_thread).result(10)
    assert hashing == min(19, own + 5)


def test_memory_is_trimmed_once_after_the_last_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = threading.Event()
    monkeypatch.setattr(hashing, "IDLE_SECONDS", 0.05)
    pool = HashingPool(SLOTS)
    pool._trim = trimmed.set  # type: ignore[method-assign]
    assert not trimmed.wait(0.2)
    pool.run(int)
    assert trimmed.wait(5)
    trimmed.clear()
    assert not trimmed.wait(0.2)


def test_trim_works_on_this_platform() -> None:
    HashingPool._trim()
