from __future__ import annotations

import signal
import time

import pytest

from bench import rounds
from bench.clock import Clock
from bench.figures import Outcome
from bench.rounds import Race, fitting
from localshop import Trouble


@pytest.fixture(autouse=True)
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SETTLE_SECONDS", 0)


def test_contenders_take_turns_after_a_warm_up_that_does_not_count() -> None:
    # given
    calls: list[tuple[str, int]] = []

    def contender(name: str) -> rounds.Contender:
        return lambda seconds: calls.append((name, seconds)) or Outcome(len(calls), seconds)  # type: ignore[func-returns-value]

    race = Race("work", {"shop": contender("shop"), "floor": contender("floor")}, short=frozenset({"floor"}))
    # when
    results = rounds.run([race], Clock(), long=2)
    # then
    assert calls == [("shop", 1), ("floor", 1), *[("shop", 2), ("floor", 1)] * 5]
    assert results.rates("work", "shop") == [3, 5, 7, 9, 11]
    assert results.requests("work", "shop") == 10


def test_runs_last_two_seconds_where_the_time_suffices_and_one_otherwise() -> None:
    race = Race("work", {"shop": lambda _: Outcome(1, 1), "floor": lambda _: Outcome(1, 1)})
    needed = 2 * 1.25 + 5 * 2 * 2.25
    assert fitting([race], needed) == 2
    assert fitting([race], needed - 1) == 1


def test_time_that_is_over_ends_the_run_and_says_so() -> None:
    clock = Clock(seconds=0.05)
    with pytest.raises(Trouble, match="not everything could be measured"), clock.bounding():
        time.sleep(5)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
