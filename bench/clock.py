"""Ten minutes, all in all: the time that is left, and progress for whoever waits."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from localshop import Trouble

LONGEST_SECONDS = 585  # of ten minutes: stopping what has been started takes some, too


class Clock:
    def __init__(self, seconds: float = LONGEST_SECONDS) -> None:
        self._begun = time.monotonic()
        self._seconds = seconds

    @property
    def left(self) -> float:
        return self._begun + self._seconds - time.monotonic()

    def say(self, what: str) -> None:
        click.echo(f"[{time.monotonic() - self._begun:4.0f} s] {what}")

    @contextmanager
    def bounding(self) -> Iterator[None]:
        """Raise Trouble in the midst of whatever goes on when the time is over."""
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self.left)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, *_: Any) -> None:
        raise Trouble(f"not everything could be measured within {self._seconds:.0f} seconds")
