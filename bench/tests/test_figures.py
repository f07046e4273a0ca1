from __future__ import annotations

import pytest

from bench.figures import Comparison, Spread, Table, brief, summary


def comparison(ours: list[float], limits: list[float], target: float, *, at_least: bool = True) -> Comparison:
    return Comparison("work", "/s", ours, limits, target, at_least)


def table(*rows: Comparison) -> Table:
    return Table("slug", "Title", "ours", "limit", "note", rows)


def test_a_spread_is_the_median_with_the_lowest_and_the_highest_round() -> None:
    assert Spread.of([5, 1, 4, 2, 3]) == Spread(3, 1, 5)
    assert Spread.of([1, 2, 3, 10]) == Spread(2.5, 1, 10)


def test_a_ratio_is_taken_round_by_round() -> None:
    # given a second round that was disturbed for both
    row = comparison([50, 10, 100], [100, 20, 200], 0.5)
    # then
    assert row.ratio == Spread(0.5, 0.5, 0.5)


def test_rounds_that_do_not_pair_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        _ = comparison([1, 2], [1], 0.5).ratio


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (comparison([60], [100], 0.6), "met"),
        (comparison([59], [100], 0.6), "MISSED"),
        (comparison([130], [100], 1.3, at_least=False), "met"),
        (comparison([131], [100], 1.3, at_least=False), "MISSED"),
        (comparison([110], [], 110, at_least=False), "met"),
        (comparison([111], [], 110, at_least=False), "MISSED"),
    ],
)
def test_verdict_is_of_the_median_ratio_or_of_a_figure_without_limit(row: Comparison, verdict: str) -> None:
    assert row.verdict == verdict


def test_target_is_a_minimum_or_a_maximum() -> None:
    assert comparison([1], [1], 0.6).aim == "≥ 0.6"
    assert comparison([1], [1], 6.0, at_least=False).aim == "≤ 6"


def test_summary_names_missed_targets() -> None:
    met, missed = comparison([1], [1], 1), comparison([1], [2], 1)
    assert summary([table(met), table(met, met)]) == "3 of 3 targets met"
    assert summary([table(met), table(met, missed)]) == "2 of 3 targets met; MISSED: slug: work"


@pytest.mark.parametrize(
    ("value", "written"), [(1234567.8, "1,234,568"), (100, "100"), (99.94, "99.9"), (10, "10.0"), (0.567, "0.57")]
)
def test_figures_have_about_three_digits(value: float, written: str) -> None:
    assert brief(value) == written
