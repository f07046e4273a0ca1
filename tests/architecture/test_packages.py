"""Templates, drawings and other files beside the code are in the wheels, and let into the images."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "libs/chassis": "src/chassis",
    "services/user-service": "user_service",
    "services/order-service": "order_service",
}


def tracked(project: str) -> set[str]:
    """Return the package's files, relative to the project."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", PACKAGES[project]]
    listed = subprocess.run(command, cwd=ROOT / project, capture_output=True, text=True, check=True).stdout
    return {path for path in listed.split("\0") if path and (ROOT / project / path).is_file()}


@pytest.mark.parametrize("project", PACKAGES)
def test_a_wheel_holds_every_file_of_its_package(project: str) -> None:
    builder = WheelBuilder(str(ROOT / project))
    held = {str(Path(file.path).relative_to(ROOT / project)) for file in builder.recurse_included_files()}
    assert any(file.endswith(".html") for file in held)
    assert tracked(project) - held == set()


@pytest.mark.parametrize("project", PACKAGES)
def test_an_image_is_given_the_whole_package(project: str) -> None:
    lines = (ROOT / project / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    top = PACKAGES[project].partition("/")[0]
    assert rules[0] == "*"
    assert f"!{top}" in rules
    assert {rule for rule in rules[1:] if not rule.startswith("!")} <= {"**/__pycache__", "src/chassis/testing"}
