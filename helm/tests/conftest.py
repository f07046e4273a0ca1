from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import rendering
from rendering import ROOT

Copy = Callable[[], Path]
PARTS = ("helm", "gitops", "docs/runbooks", ".github")


def copy(target: Path) -> Path:
    """Copy the files that the tests render to `target`, as in a clone."""
    for part in PARTS:
        shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("charts", "tests"))
    return target


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the charts and gitops/ that is ready to render; do not change it."""
    root = copy(tmp_path_factory.mktemp("repository"))
    rendering.build_dependencies(root / "helm")
    return root


@pytest.fixture
def workshop(tmp_path: Path) -> Path:
    """Return a separate copy for changes."""
    return copy(tmp_path)
