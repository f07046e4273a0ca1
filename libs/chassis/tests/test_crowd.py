from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from chassis.db.batching import LARGEST_BATCH, Batcher


class Counter:
    """Somebody who answers wishes when allowed to, and remembers who asked together."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.begun, self.go = Event(), Event()
        self.failure: Exception | None = None

    def ask(self, wishes: Sequence[int]) -> list[int | Exception | None]:
        self.asked.append(list(wishes))
        self.begun.set()
        self.go.wait(10)
        if self.failure:
            raise self.failure
        return [ValueError(f"no {wish}") if wish < 0 else wish * 10 or None for wish in wishes]


Gather = Callable[..., list[Future[int | None]]]


@pytest.fixture
def counter() -> Iterator[Counter]:
    counter = Counter()
    yield counter
    counter.go.set()


@pytest.fixture
def crowd(counter: Counter) -> Batcher[int, int | None]:
    return Batcher(counter.ask)


@pytest.fixture
def gather(crowd: Batcher[int, int | None], counter: Counter) -> Iterator[Gather]:
    """Let the first ask, and all others come while it does: gather(1, 2, 3)."""
    with ThreadPoolExecutor(64) as people:

        def gather(first: int, *others: int) -> list[Future[int | None]]:
            asking = [people.submit(crowd.get, "thing", first)]
            assert counter.begun.wait(5)
            asking += [people.submit(crowd.get, "thing", other) for other in others]
            while len(crowd._waiting["thing"]) < len(others):
                pass
            counter.go.set()
            return asking

        yield gather


def test_who_comes_alone_asks_alone(crowd: Batcher[int, int | None], counter: Counter) -> None:
    counter.go.set()
    assert [crowd.get("thing", 1), crowd.get("thing", 2)] == [10, 20]
    assert counter.asked == [[1], [2]]
    assert crowd._waiting == {}


def test_who_comes_while_another_asks_is_answered_together_with_all_who_wait(gather: Gather, counter: Counter) -> None:
    answers = [future.result(5) for future in gather(1, 2, 3, 4)]
    assert answers == [10, 20, 30, 40]
    assert [sorted(asked) for asked in counter.asked] == [[1], [2, 3, 4]]


def test_only_so_many_are_answered_at_once_and_nobody_is_forgotten(
    gather: Gather, counter: Counter, crowd: Batcher[int, int | None]
) -> None:
    answers = [future.result(5) for future in gather(*range(1, 51))]
    assert answers == [number * 10 for number in range(1, 51)]
    assert max(map(len, counter.asked)) == LARGEST_BATCH
    assert sorted(wish for asked in counter.asked for wish in asked) == list(range(1, 51))
    assert crowd._waiting == {}


def test_who_wants_something_else_does_not_wait(
    crowd: Batcher[int, int | None], gather: Gather, counter: Counter
) -> None:
    with ThreadPoolExecutor(2) as people:
        one = people.submit(crowd.get, "one thing", 1)
        assert counter.begun.wait(5)
        other = people.submit(crowd.get, "another", 2)
        while len(counter.asked) < 2:
            pass
        counter.go.set()
        assert (one.result(5), other.result(5)) == (10, 20)


def test_nothing_is_an_answer_too(gather: Gather, counter: Counter) -> None:
    assert [future.result(5) for future in gather(1, 0, 2, 0)] == [10, None, 20, None]
    assert [sorted(asked) for asked in counter.asked] == [[1], [0, 0, 2]]


def test_one_refusal_is_its_own(gather: Gather) -> None:
    first, good, bad = gather(1, 2, -3)
    assert (first.result(5), good.result(5)) == (10, 20)
    with pytest.raises(ValueError, match="no -3"):
        bad.result(5)


def test_when_asking_fails_all_hear_so_who_still_wait_too_and_the_next_can_ask(
    gather: Gather, counter: Counter, crowd: Batcher[int, int | None]
) -> None:
    counter.failure = RuntimeError("gone")
    for future in gather(*range(20)):
        with pytest.raises(RuntimeError, match="gone"):
            future.result(5)
    assert counter.asked == [[0]]
    counter.failure = None
    assert crowd.get("thing", 2) == 20
