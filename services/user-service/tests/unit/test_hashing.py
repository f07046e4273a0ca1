"""The hashing threads: few, bounded, and behind everybody else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from user_service.accounts import hashing
from user_service.accounts.hashing import Busy, HashingPool, places_beside

PLACES = 3


class Work:
    """Work that goes on until it is let go, and counts itself."""

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
    return PLACES - pool._places._value


def test_when_all_places_are_taken_the_next_is_refused_at_once_and_all_are_free_again_after(
    work: Work, callers: ThreadPoolExecutor
) -> None:
    # given
    pool = HashingPool(PLACES)
    held = [callers.submit(pool.run, work) for _ in range(PLACES)]
    while taken(pool) < PLACES:
        pass
    # when
    with pytest.raises(Busy) as refused:
        pool.run(work)
    # then
    assert (refused.value.status, refused.value.headers) == (503, (("Retry-After", "1"),))
    work.go.set()
    assert [future.result(5) for future in held] == ["done"] * PLACES
    assert pool.run(work) == "done"
    assert taken(pool) == 0


def test_no_more_run_at_once_than_there_are_processors(
    work: Work, callers: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_processors", lambda: 2)
    pool = HashingPool(PLACES)
    held = [callers.submit(pool.run, work) for _ in range(PLACES)]
    while taken(pool) < PLACES or work.running < 2:
        pass
    work.go.set()
    assert [future.result(5) for future in held] == ["done"] * PLACES
    assert work.most == 2


def test_a_wait_that_takes_too_long_is_given_up_and_its_work_is_not_done(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    monkeypatch.setattr(hashing, "_processors", lambda: 1)
    pool, late = HashingPool(PLACES), []
    held = pool._threads.submit(work)
    while work.running < 1:
        pass
    # when
    monkeypatch.setattr(hashing, "LONGEST_WAIT_SECONDS", 0.05)
    with pytest.raises(Busy):
        pool.run(late.append, "late")
    work.go.set()
    held.result(5)
    # then
    assert pool.run(lambda: "next") == "next"
    assert late == []
    assert taken(pool) == 0


def test_what_the_work_raises_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        HashingPool(PLACES).run(lambda: 1 // 0)


@pytest.mark.parametrize(("threads", "places"), [(1, 1), (2, 1), (4, 3), (32, 24)])
def test_some_of_the_servers_threads_never_wait_for_a_hash(threads: int, places: int) -> None:
    assert places_beside(threads) == places


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a niceness")
def test_hashing_gives_way_to_the_other_threads() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert HashingPool(PLACES).run(niceness) == niceness() + 5


def test_memory_is_given_back_once_nobody_hashes_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = threading.Event()
    monkeypatch.setattr(hashing, "QUIET_SECONDS", 0.05)
    pool = HashingPool(PLACES)
    pool._trim = trimmed.set  # type: ignore[method-assign]
    assert not trimmed.wait(0.2)
    pool.run(int)
    assert trimmed.wait(5)
    trimmed.clear()
    assert not trimmed.wait(0.2)


def test_the_allocator_can_be_asked_for_it() -> None:
    HashingPool._trim()
