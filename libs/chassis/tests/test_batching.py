from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event

import pytest
from pydantic import TypeAdapter, ValidationError

from chassis.db import batching
from chassis.db.batching import LARGEST_BATCH, PATIENT_CALLS, Batcher
from chassis.problems import Conflict, Unavailable

KEY = "a product"
Calls = list[Future[int | None]]
Overlap = Callable[..., Calls]


class Runner:
    """Run and record batches once `go` is set: n becomes 10 n, 0 becomes None, a negative number fails."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.began, self.go = Event(), Event()
        self.failure: BaseException | None = None
        self.results_missing = 0

    def run_batch(self, numbers: Sequence[int]) -> list[int | Exception | None]:
        self.batches.append(list(numbers))
        self.began.set()
        self.go.wait(10)
        if self.failure:
            raise self.failure
        results = [ValueError(f"no {number}") if number < 0 else number * 10 or None for number in numbers]
        return results[self.results_missing :]


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.go.set()


@pytest.fixture
def batcher(runner: Runner) -> Batcher[int, int | None]:
    return Batcher(runner.run_batch)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as threads:
        yield threads


@pytest.fixture
def overlap(batcher: Batcher[int, int | None], runner: Runner, threads: ThreadPoolExecutor) -> Overlap:
    """Start the first call, and the others while it runs: overlap(1, 2, 3). The caller sets `runner.go`."""

    def overlap(first: int, *others: int) -> Calls:
        calls = [threads.submit(batcher.get, KEY, first)]
        assert runner.began.wait(5)
        calls += [threads.submit(batcher.get, KEY, other) for other in others]
        while len(batcher._groups[KEY].waiting) < len(others):
            pass
        return calls

    return overlap


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limits for slow machines."""
    monkeypatch.setattr(batching, "BRIEF_SECONDS", 60)


def test_calls_one_after_the_other_are_batches_of_one(batcher: Batcher[int, int | None], runner: Runner) -> None:
    runner.go.set()
    assert [batcher.get(KEY, 1), batcher.get(KEY, 2)] == [10, 20]
    assert runner.batches == [[1], [2]]
    assert batcher._groups == {}


@pytest.mark.usefixtures("lenient")
def test_calls_that_wait_run_in_one_batch(overlap: Overlap, runner: Runner) -> None:
    calls = overlap(1, 2, 3, 0)
    runner.go.set()
    assert [call.result(5) for call in calls] == [10, 20, 30, None]
    assert [sorted(batch) for batch in runner.batches] == [[1], [0, 2, 3]]


@pytest.mark.usefixtures("lenient")
def test_a_batch_has_a_largest_size_and_every_call_is_run(
    overlap: Overlap, runner: Runner, batcher: Batcher[int, int | None]
) -> None:
    calls = overlap(*range(1, 51))
    runner.go.set()
    assert [call.result(5) for call in calls] == [number * 10 for number in range(1, 51)]
    assert max(map(len, runner.batches)) == LARGEST_BATCH
    assert sorted(number for batch in runner.batches for number in batch) == list(range(1, 51))
    assert batcher._groups == {}


def test_a_call_with_another_key_does_not_wait(
    batcher: Batcher[int, int | None], overlap: Overlap, runner: Runner, threads: ThreadPoolExecutor
) -> None:
    overlap(1)
    other = threads.submit(batcher.get, "another product", 2)
    while [2] not in runner.batches:
        pass
    runner.go.set()
    assert other.result(5) == 20


@pytest.mark.usefixtures("lenient")
def test_a_result_that_is_an_exception_is_raised_to_its_caller_alone(overlap: Overlap, runner: Runner) -> None:
    first, good, bad = overlap(1, 2, -3)
    runner.go.set()
    assert (first.result(5), good.result(5)) == (10, 20)
    with pytest.raises(ValueError, match="no -3"):
        bad.result(5)


@pytest.mark.usefixtures("lenient")
def test_each_waiting_call_gets_its_own_instance_of_a_failure(
    overlap: Overlap, runner: Runner, batcher: Batcher[int, int | None]
) -> None:
    runner.failure = Conflict("gone", product="p1")
    calls = overlap(*range(20))
    runner.go.set()
    failures = [call.exception(5) for call in calls]
    assert len({id(failure) for failure in failures}) == 20
    assert {(type(it), str(it), it.members["product"]) for it in failures if isinstance(it, Conflict)} == {
        (Conflict, "gone", "p1")
    }
    assert runner.batches == [[0]]
    runner.failure = None
    assert batcher.get(KEY, 2) == 20


@pytest.mark.usefixtures("lenient")
def test_a_failure_that_cannot_be_copied_reaches_every_call(overlap: Overlap, runner: Runner) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(int).validate_python("x")
    runner.failure = raised.value  # its class has no constructor
    calls = overlap(1, 2, 3)
    runner.go.set()
    assert {type(call.exception(5)) for call in calls} == {ValidationError}


@pytest.mark.usefixtures("lenient")
def test_a_wrong_number_of_results_fails_every_call(overlap: Overlap, runner: Runner) -> None:
    runner.results_missing = 1
    calls = overlap(1, 2, 3)
    runner.go.set()
    assert {str(call.exception(5)) for call in calls} == {"run_batch returned 0 results for 1 calls"}


@pytest.mark.usefixtures("lenient")
def test_interrupted_leader_leaves_no_call_waiting(
    overlap: Overlap, runner: Runner, batcher: Batcher[int, int | None]
) -> None:
    runner.failure = KeyboardInterrupt()
    first, second, third = overlap(1, 2, 3)
    runner.go.set()
    assert isinstance(first.exception(5), KeyboardInterrupt)
    assert {type(call.exception(5)) for call in (second, third)} == {KeyboardInterrupt, Unavailable}
    assert batcher._groups == {}


@pytest.mark.usefixtures("lenient")
def test_a_call_waits_for_a_limited_time(
    overlap: Overlap, runner: Runner, batcher: Batcher[int, int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "WAIT_SECONDS", 0.2)
    first, late = overlap(1, 2)
    failure = late.exception(5)
    assert isinstance(failure, Unavailable)
    assert failure.headers == (("Retry-After", "1"),)
    runner.go.set()
    assert first.result(5) == 10
    assert (runner.batches, batcher._groups) == ([[1]], {})


def test_a_stuck_key_leaves_the_other_threads_to_other_keys(
    batcher: Batcher[int, int | None], runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BRIEF_SECONDS", 0.05)
    with ThreadPoolExecutor(PATIENT_CALLS + 2) as worker:
        hot = [worker.submit(batcher.get, KEY, number) for number in range(1, 13)]
        while len(wait(hot, 5, FIRST_COMPLETED).done) < 12 - PATIENT_CALLS - 1:
            pass
        other = worker.submit(batcher.get, "another product", 2)
        while [2] not in runner.batches:
            pass
        runner.go.set()
        assert other.result(5) == 20
        assert [type(call.exception(5)) for call in hot].count(Unavailable) == 12 - PATIENT_CALLS - 1
        assert sorted(call.result(5) or 0 for call in hot if not call.exception(5)) == [10, 20, 30]


def test_calls_over_the_limit_are_run_when_the_batch_ends_in_time(
    overlap: Overlap, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BRIEF_SECONDS", 5)
    calls = overlap(*range(1, PATIENT_CALLS + 9))
    runner.go.set()
    assert [call.result(5) for call in calls] == [number * 10 for number in range(1, PATIENT_CALLS + 9)]
