"""A circuit breaker for the database."""

from __future__ import annotations

from threading import Lock
from time import monotonic

from chassis.problems import Unavailable

RETRY_SECONDS = 1.0


class CircuitBreaker:
    """After a timeout, refuse all calls except one trial at a time.

    Without it, every thread would wait out its own deadline. A trial without an answer ends after `trial_seconds`.
    """

    def __init__(self, trial_seconds: float) -> None:
        self._trial_seconds = trial_seconds
        self._lock = Lock()
        self._open = False
        self._trial_ends_at = 0.0

    def check(self) -> None:
        """Raise Unavailable while the circuit is open and another call is the trial."""
        if not self._open:
            return
        with self._lock:
            if monotonic() < self._trial_ends_at:
                raise Unavailable
            self._trial_ends_at = monotonic() + self._trial_seconds

    def record_answer(self) -> None:
        """Close the circuit."""
        self._open = False

    def record_timeout(self) -> None:
        """Open the circuit; the next call is the trial.

        Several calls may time out together: while the circuit is open, a timeout only brings the next trial forward
        to RETRY_SECONDS from now.
        """
        with self._lock:
            if self._open:
                self._trial_ends_at = min(self._trial_ends_at, monotonic() + RETRY_SECONDS)
            else:
                self._open, self._trial_ends_at = True, 0.0
