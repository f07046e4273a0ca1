"""A circuit breaker: while a peer is silent, one caller at a time finds out whether it still is."""

from __future__ import annotations

from threading import Lock
from time import monotonic

from chassis.problems import Unavailable


class CircuitBreaker:
    """Without it, every thread would wait out its own deadline, and every caller behind them in the queue too."""

    def __init__(self, trial_seconds: float) -> None:
        self._trial_seconds = trial_seconds
        self._lock = Lock()
        self._silent = False
        self._trial_ends = 0.0

    def enter(self) -> None:
        """Raise Unavailable while the peer is silent and somebody else is trying."""
        if not self._silent:
            return
        with self._lock:
            if monotonic() < self._trial_ends:
                raise Unavailable
            self._trial_ends = monotonic() + self._trial_seconds

    def answered(self) -> None:
        self._silent = False

    def gave_up(self) -> None:
        """Note that the peer did not answer in time; the next caller may try at once, unless another one tries."""
        with self._lock:
            if not self._silent:
                self._silent, self._trial_ends = True, 0.0
