"""Declare the tasks of a service, in its `jobs.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., None])

DAY = 24


class Permanent(Exception):
    """A failure that no later attempt will cure: the job fails at once."""


class Task(NamedTuple):
    """A function of the service's `Services` and of the ids of a job."""

    function: Callable[..., None]
    retry_hours: float
    cron: str | None

    @property
    def name(self) -> str:
        return self.function.__name__


class Tasks:
    """The tasks of a service by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Task] = {}

    def task(self, *, retry_hours: float = DAY) -> Callable[[F], F]:
        """Declare a task; a failed job is run again, after growing pauses, for `retry_hours`."""
        return self._register(retry_hours, None)

    def periodic(self, cron: str) -> Callable[[F], F]:
        """Declare a task that runs without ids at the times of `cron`, in UTC, in one of the workers."""
        return self._register(0, cron)

    def _register(self, retry_hours: float, cron: str | None) -> Callable[[F], F]:
        def register(function: F) -> F:
            task = Task(function, retry_hours, cron)
            if task.name in self.by_name:
                raise ValueError(f"two tasks are named {task.name}")
            self.by_name[task.name] = task
            return function

        return register


def pause_seconds(attempts: int, retry_hours: float) -> float | None:
    """Return the seconds until the next attempt, after `attempts` failed ones; None when the hours are over.

    10 seconds, 20, 40 and so on, at most an hour each.
    """
    pauses: list[Any] = [min(10 * 2**attempt, 3600) for attempt in range(attempts)]
    return pauses[-1] if sum(pauses) <= retry_hours * 3600 else None
