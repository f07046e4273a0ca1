"""The audit with an advisory database that answers, has no data, or cannot be reached."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"name": "flask", "version": "3.1.0", "vulns": []}
FLAWED = {"name": "flask", "version": "0.1", "vulns": [{"id": "PYSEC-2018-66", "fix_versions": ["0.12.3"]}]}
SKIPPED = {"name": "flask", "skip_reason": "Dependency not found on PyPI and could not be audited"}

Audit = Callable[[str, str], subprocess.CompletedProcess[str]]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Run tools/audit.py with a pip-audit that prints the given stdout and stderr."""

    def audit(stdout: str, stderr: str = "") -> subprocess.CompletedProcess[str]:
        python = tmp_path / "python"
        python.symlink_to(sys.executable)
        fake = tmp_path / "pip-audit"
        fake.write_text(f"#!{sys.executable}\nimport sys\nprint({stdout!r})\nprint({stderr!r}, file=sys.stderr)\n")
        fake.chmod(stat.S_IRWXU)
        return subprocess.run([python, ROOT / "tools/audit.py"], capture_output=True, text=True, check=False)

    return audit


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([CLEAN, CLEAN], 0, "audit: no advisory for any of 2 dependencies\n"),
        ([CLEAN, FLAWED], 1, "audit: flask 0.1: PYSEC-2018-66, fixed in 0.12.3\n"),
        ([SKIPPED], 0, "audit: NOT DONE, the package index in use holds no advisories\n"),
        ([SKIPPED, CLEAN], 0, "audit: only 1 of 2 dependencies were found in the advisory database\n"),
        ([SKIPPED, FLAWED], 1, "audit: flask 0.1: PYSEC-2018-66, fixed in 0.12.3\n"),
    ],
)
def test_the_audit_fails_on_findings_and_says_what_it_could_not_look_up(
    audit: Audit, dependencies: list[dict[str, Any]], code: int, said: str
) -> None:
    run = audit(json.dumps({"dependencies": dependencies, "fixes": []}), "")
    assert (run.returncode, run.stdout + run.stderr) == (code, said)


def test_audit_without_access_to_the_database_warns_and_passes(audit: Audit) -> None:
    run = audit("", "Traceback ...\nrequests.exceptions.ConnectionError: Name or service not known")
    assert run.returncode == 0
    assert run.stderr.startswith("audit: NOT DONE, could not reach the advisory database: requests.exceptions")


def test_audit_that_fails_for_another_reason_fails(audit: Audit) -> None:
    run = audit("", "ERROR: requirement x does not contain a hash")
    assert (run.returncode, run.stderr) == (1, "audit: ERROR: requirement x does not contain a hash\n")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with the script in it and one harmless commit."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/secrets", tmp_path / "tools")
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")


def scan(folder: Path) -> int:
    scanner = str(Path(sys.executable).with_name("gitleaks"))
    environment = os.environ | {"GITLEAKS": scanner}
    return subprocess.run([folder / "tools/secrets"], env=environment, capture_output=True, check=False).returncode


def secret() -> str:
    return "aws_key = 'AKIA" + "Z3MJQ7T2XK5VH4WN'\n"  # in two parts, or the scan would find it in this file


def test_secret_is_found_before_its_commit_and_after_its_removal(repository: Path) -> None:
    assert scan(repository) == 0
    (repository / "ignored.py").write_text(secret())
    assert scan(repository) == 0

    (repository / "new file.py").write_text(secret())
    assert scan(repository) != 0

    commit(repository)
    (repository / "new file.py").unlink()
    commit(repository)
    assert scan(repository) != 0
