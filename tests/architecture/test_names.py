"""Test names have at most 70 characters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_NAME = 70


def names_of_tests(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name


def long_names(source: str) -> list[str]:
    return [name for name in names_of_tests(source) if len(name) > LONGEST_NAME]


def test_names_of_tests_have_at_most_70_characters() -> None:
    files = [
        file
        for part in ("libs", "services", "tools", "bench", "helm", "tests")
        for file in (ROOT / part).rglob("test_*.py")
        if ".venv" not in file.parts
    ]
    assert {str(file.relative_to(ROOT)): found for file in files if (found := long_names(file.read_text()))} == {}


def test_name_of_71_characters_is_found() -> None:
    fits, too_long = "test_".ljust(70, "x"), "test_".ljust(71, "x")
    assert long_names(f"def {fits}(): ...\ndef {too_long}(): ...") == [too_long]
