"""Functions and files stay short."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(
    file
    for folder in ("libs", "services", "tools", "bench")
    for file in (ROOT / folder).rglob("*.py")
    if not {"tests", "versions", ".venv"} & set(file.parts)
)
LONGEST_FUNCTION, LONGEST_FILE, MEDIAN_FUNCTION = 40, 250, 8


def lengths(file: Path) -> dict[str, int]:
    functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    return {f"{file.name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1 for node in functions}


def test_the_median_function_is_short() -> None:
    assert median(length for file in PRODUCT for length in lengths(file).values()) <= MEDIAN_FUNCTION


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_function_and_no_file_is_long(file: Path) -> None:
    assert {name: length for name, length in lengths(file).items() if length > LONGEST_FUNCTION} == {}
    assert len(file.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("service", ["user-service", "order-service"])
def test_app_py_imports_only_its_own_package(service: str) -> None:
    door = ROOT / "services" / service / "app.py"
    package = service.replace("-", "_")
    imported = {node.module for node in ast.walk(ast.parse(door.read_text())) if isinstance(node, ast.ImportFrom)}
    assert imported == {package, f"{package}.settings"}


def untyped_extensions(source: str) -> list[int]:
    return [number for number, line in enumerate(source.splitlines(), 1) if "app.extensions[" in line]


@pytest.mark.parametrize("file", PRODUCT, ids=lambda file: str(file.relative_to(ROOT)))
def test_services_are_not_passed_in_app_extensions(file: Path) -> None:
    assert untyped_extensions(file.read_text()) == []


def test_use_of_app_extensions_is_found() -> None:
    assert untyped_extensions('x = 1\napp.extensions["database"] = db') == [2]
