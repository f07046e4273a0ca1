from __future__ import annotations

import pytest

from chassis.db.circuit_breaker import CircuitBreaker
from chassis.problems import Unavailable


def test_calls_pass_while_the_server_answers() -> None:
    breaker = CircuitBreaker(trial_seconds=60)
    for _ in range(3):
        breaker.check()


def test_one_call_tries_a_silent_server_and_others_are_refused() -> None:
    breaker = CircuitBreaker(trial_seconds=60)

    breaker.record_timeout()
    breaker.check()
    with pytest.raises(Unavailable):
        breaker.check()

    breaker.record_answer()
    breaker.check()
    breaker.check()


def test_timeouts_of_older_calls_do_not_allow_a_second_trial() -> None:
    breaker = CircuitBreaker(trial_seconds=60)
    breaker.record_timeout()
    breaker.check()

    breaker.record_timeout()

    with pytest.raises(Unavailable):
        breaker.check()


def test_trial_without_an_answer_ends_after_its_time() -> None:
    breaker = CircuitBreaker(trial_seconds=0)
    breaker.record_timeout()
    breaker.check()
    breaker.check()
