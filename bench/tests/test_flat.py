"""The verdict of a soak on made-up samples."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from bench.flat import Limit, judge, per_order

HOUR = [30.0 * n for n in range(121)]
MEGABYTES = Limit(an_hour=4, noise=3)


def memory(seconds: list[float], leak_an_hour: float, *, warm_up: float = 20, noise: float = 0.5) -> list[float]:
    """Return megabytes of a process that warms up for five minutes, and leaks."""
    random_ = random.Random(1)
    return [
        100 + warm_up * min(at / 300, 1) + leak_an_hour * at / 3600 + random_.uniform(-noise, noise) for at in seconds
    ]


@pytest.mark.parametrize(("leak", "flat"), [(0, True), (1, True), (8, False), (60, False), (-10, True)])
def test_memory_is_flat_unless_it_leaks(leak: float, flat: bool) -> None:
    verdict = judge("memory", "MB", HOUR, memory(HOUR, leak), MEGABYTES)
    assert verdict.flat is flat
    assert verdict.growth == pytest.approx(leak, abs=0.5)


def test_noise_of_a_short_soak_is_no_leak_but_a_leak_is() -> None:
    quarter = HOUR[:31]
    assert judge("memory", "MB", quarter, memory(quarter, 0, noise=2), MEGABYTES).flat
    assert not judge("memory", "MB", quarter, memory(quarter, 40), MEGABYTES).flat


@pytest.mark.parametrize(("each_minutes", "flat"), [(0, True), (4, False)])
def test_a_connection_that_stays_open_each_few_minutes_is_red(each_minutes: int, flat: bool) -> None:
    open_ = [16 + (at // (60 * each_minutes) if each_minutes else 0) for at in HOUR]
    assert judge("connections", "", HOUR, open_, Limit(an_hour=2, noise=2)).flat is flat


def test_figure_that_settles_within_the_first_third_is_flat() -> None:
    assert judge("files", "", HOUR, [min(at / 60, 18) for at in HOUR], Limit(an_hour=2, noise=0)).flat


def test_too_few_samples_are_not_judged() -> None:
    with pytest.raises(ValueError, match="5 samples are too few"):
        judge("memory", "MB", HOUR[:5], [1.0] * 5, MEGABYTES)


def test_log_bytes_are_bounded_per_order_not_per_hour() -> None:
    orders = [float(n * 100) for n in range(121)]
    log = [5_000.0 * count for count in orders]
    assert per_order("log", orders, log, 6_000).flat
    growing = [count * count for count in orders]  # each order writes more than the one before
    assert all(later > earlier for earlier, later in pairwise(growing))
    assert not per_order("log", orders, growing, 6_000).flat
    assert not per_order("log", [0.0] * 121, log, 6_000).flat
