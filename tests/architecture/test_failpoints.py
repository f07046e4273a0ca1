"""Every failpoint in the services is crossed by `make chaos`, and none is listed that does not exist."""

from __future__ import annotations

import ast
from pathlib import Path

from chaos.failpoints import POINTS

ROOT = Path(__file__).parents[2]


def points_of(file: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    reached = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "reach"]
    return [argument.value for call in reached for argument in call.args if isinstance(argument, ast.Constant)]


def test_every_failpoint_is_reached_once_and_covered_by_make_chaos() -> None:
    product = [*(ROOT / "services").glob("*/*_service/**/*.py"), *(ROOT / "libs/chassis/src").rglob("*.py")]
    reached = sorted(point for file in product for point in points_of(file))
    assert reached == sorted(POINTS)
