"""A circuit breaker: while the database does not answer, one caller at a time tries it."""

from __future__ import annotations

from threading import Lock
from time import monotonic

from chassis.problems import Unavailable

RETRY_SECONDS = 1.0


class CircuitBreaker:
    """Refuse calls to a server that timed out, but for one trial at a time.

    Without it, every thread would wait out its own deadline. A trial without an answer ends after `trial_seconds`.
    """

    def __init__(self, trial_seconds: float) -> None:
        self._trial_seconds = trial_seconds
        self._lock = Lock()
        self._open = False
        self._trial_ends_at = 0.0

    def check(self) -> None:
        """Let the call pass, or raise Unavailable while another one is the trial."""
        if not self._open:
            return
        with self._lock:
            if monotonic() < self._trial_ends_at:
                raise Unavailable
            self._trial_ends_at = monotonic() + self._trial_seconds

    def record_answer(self) -> None:
        """Close the circuit: the server answered."""
        self._open = False

    def record_timeout(self) -> None:
        """Open the circuit: the server did not answer in time. The next call is the trial.

        Calls that were sent before the trial time out together: each of them must not allow another trial at once.
        """
        with self._lock:
            if self._open:
                self._trial_ends_at = min(self._trial_ends_at, monotonic() + RETRY_SECONDS)
            else:
                self._open, self._trial_ends_at = True, 0.0
