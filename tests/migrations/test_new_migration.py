from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

TOOL = Path(__file__).parents[2] / "tools/migration.py"


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """Create a service with two migrations below tmp_path; return their folder."""
    folder = tmp_path / "services/order-service/migrations/versions"
    folder.mkdir(parents=True)
    for number, before in (("0001", None), ("0002", "0001")):
        Path(folder, f"{number}_x.py").write_text(f"revision = {number!r}\ndown_revision = {before!r}\n")
    return folder


def start(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *arguments], cwd=root, capture_output=True, text=True, check=False)


def test_a_new_migration_follows_the_newest_one(tmp_path: Path, versions: Path) -> None:
    assert start(tmp_path, "order-service", "add_discounts").returncode == 0
    script = (versions / "0003_add_discounts.py").read_text()
    assert script.startswith('"""Add discounts."""\n')
    assert ScriptDirectory(str(versions.parent)).get_current_head() == "0003"


@pytest.mark.parametrize("arguments", [("", "add_x"), ("mail-service", "add_x"), ("order-service", "Add x")])
def test_a_migration_without_service_or_name_is_refused(
    tmp_path: Path, versions: Path, arguments: tuple[str, str]
) -> None:
    refused = start(tmp_path, *arguments)
    assert refused.returncode == 1
    assert "make migration SERVICE=user-service NAME=add_a_column" in refused.stderr
    assert len(list(versions.iterdir())) == 2
