from __future__ import annotations

import pytest

from bench import rounds
from bench.figures import Outcome


def test_contenders_alternate_after_a_warm_up_that_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    monkeypatch.setattr(rounds, "SETTLE_SECONDS", 0)
    calls: list[tuple[str, int]] = []

    def contender(name: str) -> rounds.Contender:
        def measure(seconds: int) -> Outcome:
            calls.append((name, seconds))
            return Outcome(len(calls), seconds)

        return measure

    # when
    results = rounds.run({"work": {"shop": contender("shop"), "floor": contender("floor")}}, rounds=3, seconds=2)
    # then
    forth, back = [("shop", 2), ("floor", 2)], [("floor", 2), ("shop", 2)]
    assert calls == [("shop", 1), ("floor", 1), *forth, *back, *forth]
    assert [outcome.rate for outcome in results["work"]["shop"]] == [3, 6, 7]
