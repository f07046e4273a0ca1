from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from chassis.db.failpoints import CRASHED

PROGRAM = "from chassis.db.failpoints import reach; reach('here'); print('alive')"


@pytest.mark.parametrize(
    ("env", "armed", "code"),
    [("local", "here", CRASHED), ("local", "elsewhere", 0), ("prod", "here", 0)],
)
def test_only_a_local_process_crashes_and_only_at_the_armed_point(
    tmp_path: Path, env: str, armed: str, code: int
) -> None:
    (tmp_path / armed).touch()
    environment = {"FAILPOINTS": str(tmp_path), "APP_ENV": env}
    assert subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=False).returncode == code


def test_a_point_crashes_once_for_each_time_it_is_armed(tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    environment = {"FAILPOINTS": str(tmp_path), "APP_ENV": "local"}
    runs = [subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=False) for _ in range(2)]
    assert [run.returncode for run in runs] == [CRASHED, 0]
