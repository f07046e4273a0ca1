"""The code of the release before, from git."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from localshop import ROOT

MISSING = "the code of {commit}, the release before, is not in this clone: git fetch --unshallow"


def previous_commit() -> str:
    """Return the commit in UPGRADE_FROM; by default the last one of main before the newest migration."""
    if chosen := os.environ.get("UPGRADE_FROM"):
        return chosen
    adding = [_added(service) for service in sorted(ROOT.glob("services/*/migrations/versions"))]
    committed = [commit for commit in adding if commit]
    if len(committed) < len(adding):
        return "HEAD"  # the newest migration is being written
    return _git("log", "--no-walk=sorted", "--format=%H^", *committed).splitlines()[0]


def _added(scripts: Path) -> str | None:
    """Return the commit that added the newest number of a service's migrations, whatever the file was called then."""
    number = max(script.name for script in scripts.glob("[0-9]*.py"))[:4]
    adding = ("--first-parent", "-m", "--diff-filter=A", "--format=%H")
    commits = _git("log", *adding, "--", f"{scripts.relative_to(ROOT)}/{number}_*.py").splitlines()
    return commits[-1] if commits else None


def checkout(commit: str, folder: Path) -> Path:
    """Write the code of a commit into a folder; fail with the remedy where the clone does not have it."""
    if not _has(commit):
        raise AssertionError(MISSING.format(commit=commit))
    code = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(code)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def python_path(release: Path) -> str:
    """Return the PYTHONPATH of a release: its code, and its dependencies where they are not those of this checkout."""
    packages = [] if _pins(release) <= _pins(ROOT) else [_installed(release)]
    services = [release / "services" / name for name in ("user-service", "order-service")]
    return os.pathsep.join(map(str, [*services, release / "libs/chassis/src", *packages]))


def _installed(release: Path) -> Path:
    packages = release / ".packages"
    files = [option for file in _requirements(release) for option in ("-r", str(file))]
    install = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--target", str(packages))
    subprocess.run([*install, *files], check=True)
    return packages


def _pins(root: Path) -> set[str]:
    lines = [line for file in _requirements(root) for line in file.read_text().splitlines()]
    return {line.split()[0] for line in lines if "==" in line}


def _requirements(root: Path) -> list[Path]:
    return sorted(root.glob("services/*/requirements.txt"))


def _has(commit: str) -> bool:
    asked = subprocess.run(
        ["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, check=False
    )
    return asked.returncode == 0


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True, text=True).stdout
