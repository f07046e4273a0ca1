from __future__ import annotations

import pytest

from chassis.db.circuit_breaker import CircuitBreaker
from chassis.problems import Unavailable


def test_everybody_may_enter_while_the_peer_answers() -> None:
    breaker = CircuitBreaker(trial_seconds=60)
    for _ in range(3):
        breaker.enter()


def test_one_tries_a_silent_peer_and_the_others_are_refused_until_it_answers() -> None:
    breaker = CircuitBreaker(trial_seconds=60)

    breaker.gave_up()
    breaker.enter()
    with pytest.raises(Unavailable):
        breaker.enter()

    breaker.answered()
    breaker.enter()
    breaker.enter()


def test_after_a_trial_that_failed_the_next_may_try_at_once() -> None:
    breaker = CircuitBreaker(trial_seconds=60)
    breaker.gave_up()
    breaker.enter()

    breaker.gave_up()

    breaker.enter()
    with pytest.raises(Unavailable):
        breaker.enter()


def test_a_trial_that_never_ends_does_not_keep_the_others_out_for_ever() -> None:
    breaker = CircuitBreaker(trial_seconds=0)
    breaker.gave_up()
    breaker.enter()
    breaker.enter()
