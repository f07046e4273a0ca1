from __future__ import annotations

from pathlib import Path

import pytest

from bench.comparing import Figure
from bench.shop import Server, server_module
from localshop import Trouble


@pytest.mark.parametrize(
    ("unit", "this", "other", "verdict"),
    [
        ("/s", [120, 130, 125], [100, 110, 105], "better"),
        ("/s", [100, 110, 105], [120, 130, 125], "worse"),
        ("ms", [12, 13, 12.5], [10, 11, 10.5], "worse"),
        ("ms", [10, 11, 10.5], [12, 13, 12.5], "better"),
        ("/s", [120, 130, 99], [100, 110, 105], "level"),  # one round contradicts
        ("/s", [101, 111, 106], [100, 110, 105], "level"),  # less than the rounds differ
    ],
)
def test_verdict_needs_every_round_and_more_than_the_spread(
    unit: str, this: list[float], other: list[float], verdict: str
) -> None:
    assert Figure("GET /profile", unit, this, other).verdict == verdict


def test_sign_ins_that_were_all_refused_have_no_ratio() -> None:
    assert Figure("POST /login", "/s", [0, 1], [0, 0]).ratio.median == float("inf")


def test_server_module_is_found_in_older_and_newer_layouts(tmp_path: Path) -> None:
    assert server_module(tmp_path) == "chassis.serve"
    new = tmp_path / "libs/chassis/src/chassis/server/__main__.py"
    new.parent.mkdir(parents=True)
    new.touch()
    assert server_module(tmp_path) == "chassis.server"


def test_checkout_without_venv_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="run `make setup` there"):
        Server("user-service", tmp_path, tmp_path, tmp_path / "log", {})
