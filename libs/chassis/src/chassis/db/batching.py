"""Run concurrent calls that share a key as one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from chassis.problems import Unavailable

C = TypeVar("C")
R = TypeVar("R")
E = TypeVar("E", bound=Exception)

LARGEST_BATCH = 16
WAIT_SECONDS = 10.0
"""How long a call waits for its result at most; longer than the database's own deadlines."""
PATIENT_CALLS = 2
"""How many calls of one key may wait that long: fewer than a worker has threads, so that other keys are served."""
BRIEF_SECONDS = 1.0
"""How old the running batch of a key may be before its other waiting calls are refused."""


class _Call(Generic[C, R]):
    """Hold a caller's argument and, later, its result."""

    def __init__(self, argument: C) -> None:
        self.argument = argument
        self.done = False
        self.result: R | Exception
        self.woken = Lock()
        self.woken.acquire()  # released once: with the result, or to make this call the leader

    def finish(self, result: R | Exception) -> None:
        self.result, self.done = result, True
        self.woken.release()


class _Group(Generic[C, R]):
    """Hold the calls of one key that wait for its running batch."""

    def __init__(self) -> None:
        self.waiting: deque[_Call[C, R]] = deque()
        self.batch_began = monotonic()

    def take(self, most: int) -> list[_Call[C, R]]:
        return [self.waiting.popleft() for _ in range(min(len(self.waiting), most))]


class Batcher(Generic[C, R]):
    """Run the first call of a key at once; run the calls that arrive meanwhile as one batch.

    `run_batch` returns one result per call, in order; a result that is an exception is raised to its caller. An
    exception that `run_batch` raises is raised to every caller of the key, those of the next batch included.
    Each caller gets an exception instance of its own. A call that waits too long raises Unavailable.
    """

    def __init__(self, run_batch: Callable[[Sequence[C]], Sequence[R | Exception]]) -> None:
        self._run_batch = run_batch
        self._lock = Lock()
        self._groups: dict[Hashable, _Group[C, R]] = {}

    def get(self, key: Hashable, argument: C) -> R:
        mine: _Call[C, R] = _Call(argument)
        with self._lock:
            group = self._groups.get(key)
            leads = group is None
            if group is None:
                group = self._groups[key] = _Group()
            else:
                group.waiting.append(mine)
        if not leads:
            self._wait(group, mine)
        if not mine.done:
            self._lead(key, group, mine)
        if isinstance(mine.result, Exception):
            raise mine.result
        return mine.result

    def _wait(self, group: _Group[C, R], mine: _Call[C, R]) -> None:
        """Wait for the result, or until this call leads the next batch; raise Unavailable on timeout."""
        give_up_at = monotonic() + WAIT_SECONDS
        while True:
            with self._lock:
                queued = mine in group.waiting
                patient = not queued or group.waiting.index(mine) < PATIENT_CALLS
                ends_at = give_up_at if patient else min(give_up_at, group.batch_began + BRIEF_SECONDS)
                left = ends_at - monotonic()
                if left <= 0:
                    if mine.woken.acquire(blocking=False):
                        return
                    if queued:
                        group.waiting.remove(mine)
                    raise Unavailable
            if mine.woken.acquire(timeout=left):
                return

    def _lead(self, key: Hashable, group: _Group[C, R], mine: _Call[C, R]) -> None:
        """Run a batch, deliver its results, and make the next waiting call the leader."""
        with self._lock:
            batch = [mine, *group.take(LARGEST_BATCH - 1)]
            group.batch_began = monotonic()
        results: Sequence[R | Exception] = [Unavailable()] * len(batch)  # if this thread is interrupted
        try:
            results = self._run_batch([call.argument for call in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"run_batch returned {len(results)} results for {len(batch)} calls")  # noqa: TRY301
        except Exception as failure:
            with self._lock:
                batch += group.take(len(group.waiting))
            results = [failure] * len(batch)
        finally:
            for call, result in zip(batch, results, strict=True):
                call.finish(_copy(result) if isinstance(result, Exception) and call is not mine else result)
            with self._lock:
                if group.waiting:
                    group.waiting.popleft().woken.release()
                else:
                    del self._groups[key]


def _copy(failure: E) -> E:
    """Copy the exception: raising one instance in several threads mixes their tracebacks."""
    try:
        copy = type(failure).__new__(type(failure), *failure.args)
    except TypeError:  # a compiled class cannot be copied; share the instance
        return failure
    copy.__dict__.update(failure.__dict__)
    copy.__cause__ = failure
    return copy
