"""The Makefile, run by make itself in a scratch folder where stubs stand in for Python and the tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# `python3 -m venv FOLDER` makes a folder with stubs; every call is written down with the caches and variables it got.
STUB = """#!/bin/sh
echo "${0##*/} $* [$(env | cut -d= -f1 | grep -E "^(PG|PYTHON.|PIP_|UV_|PROM|VIRTUAL)" | sort | xargs)]" >>"$CALLS"
test -z "$XDG_CACHE_HOME" || echo "cache $XDG_CACHE_HOME" >>"$CALLS"
case "$(basename "$0") $1 $2" in
"python3 -m venv") mkdir -p "$3/bin"; for name in python uv ruff mypy lint-imports; do cp "$0" "$3/bin/$name"; done ;;
python*-V*) echo "Python $VERSION.7" ;;
esac
case "$*" in $FAILING) exit 1 ;; esac
"""
# Tests that take minutes or need other programs, by their target.
APART = {
    "chaos": "tests/chaos",
    "check-clients": "tests/clients",
    "e2e-browser": "tests/browser",
    "e2e-cluster": "tests/cluster",
    "e2e-containers": "tests/containers",
    "e2e-observe": "tests/observe",
    "e2e-stripe": "tests/stripe_mock",
}
TOOLS = {"openapi", "deps", "secrets", "lint-workflows"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the Makefile and whatever it needs to set up."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    makefile = (ROOT / "Makefile").read_text()
    (checkout / "Makefile").write_text(makefile)
    (checkout / "python3").write_text(STUB)
    (checkout / "python3").chmod(0o755)
    (checkout / "requirements-dev.txt").touch()
    for manifest in ROOT.glob("*/*/pyproject.toml"):
        copy = checkout / manifest.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        copy.touch()
    for tool in TOOLS:
        (checkout / "tools" / tool).write_text(STUB)
        (checkout / "tools" / tool).chmod(0o755)
    return checkout


def make(checkout: Path, *arguments: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run make; return how it went and the calls of the stubs."""
    calls = checkout / "calls"
    calls.unlink(missing_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(checkout), "CALLS": str(calls), "VERSION": "3.12"}
    done = subprocess.run(
        ["make", "PYTHON=./python3", *arguments],
        cwd=checkout,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, calls.read_text().splitlines() if calls.exists() else []


def made_anew(calls: list[str]) -> bool:
    return any(call.startswith("python3 -m venv .venv") for call in calls)


def test_set_up_runs_once_and_again_after_a_dependency_changed(checkout: Path) -> None:
    assert made_anew(make(checkout, "setup")[1])
    assert not made_anew(make(checkout, "setup")[1])

    later = (checkout / ".venv/.ready").stat().st_mtime + 5
    os.utime(checkout / "requirements-dev.txt", (later, later))

    assert made_anew(make(checkout, "setup")[1])


@pytest.mark.parametrize("change", ["moved", "other Python"])
def test_moved_checkout_or_other_python_gets_a_new_venv(checkout: Path, change: str) -> None:
    make(checkout, "setup")
    leftover = Path(".venv/bin/script-of-the-old-path")
    (checkout / leftover).touch()
    version = "3.12"
    if change == "moved":
        checkout = checkout.rename(checkout.with_name("moved, (elsewhere)"))
    else:
        version = "3.13"

    done, calls = make(checkout, "setup", VERSION=version)

    assert done.returncode == 0, done.stderr
    assert made_anew(calls)
    assert not (checkout / leftover).exists()
    assert not made_anew(make(checkout, "setup", VERSION=version)[1])


def test_variables_for_other_programs_do_not_reach_the_set_up(checkout: Path) -> None:
    foreign = (
        "PGSERVICE",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSAFEPATH",
        "PIP_USER",
        "PIP_TARGET",
        "PIP_REQUIRE_HASHES",
    )
    foreign += ("UV_SYSTEM_PYTHON", "UV_REQUIRE_HASHES", "UV_PYTHON", "VIRTUAL_ENV", "PROMETHEUS_MULTIPROC_DIR")
    index = ("PIP_CERT", "PIP_INDEX_URL", "UV_INDEX_CORP_PASSWORD", "UV_INDEX_URL")

    done, calls = make(checkout, "setup", **dict.fromkeys(foreign + index, "1"))

    assert done.returncode == 0, done.stderr
    received = {call.partition("[")[2] for call in calls if "pip" in call}
    assert received == {" ".join(index) + "]"}
    assert any(" --no-user " in call for call in calls)  # the same, said by the user's pip.conf


def test_set_up_without_a_writable_home_keeps_its_caches_below_cache(checkout: Path) -> None:
    assert not any(call.startswith("cache") for call in make(checkout, "setup")[1])
    (checkout / ".venv/.ready").unlink()

    done, calls = make(checkout, "setup", HOME="/dev/null")

    assert done.returncode == 0, done.stderr
    assert f"cache {checkout}/.cache" in calls


def test_check_runs_fast_checks_first_and_names_all_that_failed(checkout: Path) -> None:
    make(checkout, "setup")
    (checkout / ".cache/checkov/bin").mkdir(parents=True)

    done, calls = make(checkout, "check", FAILING="format*")

    assert done.returncode == 2
    assert [call.partition(" [")[0] for call in calls if call.startswith(("ruff", "mypy", "lint-imports"))] == [
        "ruff check .",
        "ruff format --check .",
        "mypy ",
        "lint-imports --no-cache",
    ]
    slow_ones = [call.split()[0] for call in calls if call.split()[0] in TOOLS]
    assert slow_ones == ["openapi", "lint-workflows", "deps", "secrets"]
    assert "make check: failed: format " in done.stderr


def test_format_formats_what_ruff_cannot_mend_and_then_reports_it(checkout: Path) -> None:
    make(checkout, "setup")

    done, calls = make(checkout, "format", FAILING="check .")

    assert [call.partition(" [")[0] for call in calls if call.startswith("ruff")] == [
        "ruff check --fix-only --quiet .",
        "ruff format .",
        "ruff check .",
    ]
    assert done.returncode == 2


def test_check_clients_without_npm_says_what_to_install(checkout: Path, tmp_path: Path) -> None:
    make(checkout, "setup")
    (checkout / "tests/clients").mkdir(parents=True)
    (checkout / "tests/clients/package.json").touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "sh", "env", "cut", "grep", "sort", "xargs", "basename", "cat", "mkdir", "echo", "rm"):
        (programs / name).symlink_to(str(shutil.which(name)))

    done, _ = make(checkout, "check-clients", PATH=str(programs))

    assert done.returncode == 2
    assert "make: npm not found: install Node.js 20 or newer" in done.stderr


def test_stripe_tests_without_go_say_what_to_install(checkout: Path, tmp_path: Path) -> None:
    make(checkout, "setup")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("make", "sh", "env", "cut", "grep", "sort", "xargs", "basename", "cat", "mkdir", "echo", "rm"):
        (programs / name).symlink_to(str(shutil.which(name)))

    done, _ = make(checkout, "e2e-stripe", PATH=str(programs))

    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "make: go not found: install Go 1.22 or newer to build stripe-mock"


def files_of(target: str) -> set[Path]:
    """Return the test files that a target gives to pytest."""
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True)
    arguments = (
        next(line for line in done.stdout.splitlines() if "pytest -n auto" in line).split("worksteal")[1].split()
    )
    ignored = {ROOT / each.removeprefix("--ignore=") for each in arguments if each.startswith("--ignore=")}
    found = [ROOT / each for each in arguments if not each.startswith("-")]
    return {file for path in found for file in ([path] if path.is_file() else files_below(path))} - ignored


def files_below(folder: Path) -> set[Path]:
    """Return the test files that need no target of their own."""
    apart = {ROOT / folder for folder in APART.values()}
    return {file for file in folder.rglob("test_*.py") if not apart & set(file.parents) and ".venv" not in file.parts}


def test_every_test_file_is_run_by_one_of_the_test_targets() -> None:
    run = [file for target in ("test", "test-system", "test-delivery") for file in files_of(target)]
    folders = ("libs", "services", "tools", "bench", "helm", "tests")
    assert sorted(run) == sorted(set().union(*(files_below(ROOT / name) for name in folders)))


@pytest.mark.parametrize(("target", "folder"), APART.items())
def test_tests_apart_are_run_by_their_target(target: str, folder: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True)
    assert any("pytest" in line and folder in line for line in done.stdout.splitlines())


def test_browser_tests_without_chromium_end_with_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/browser"],
        cwd=ROOT,
        env={**os.environ, "CHROMIUM": "/nowhere/chromium", "TEST_POSTGRES_URL": "unused"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (done.stdout + done.stderr).splitlines() == [
        "Exit: no Chromium found: apt-get install chromium, or CHROMIUM=path"
    ]
