"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from bench.limits import cores
from localshop import ROOT
from localshop.postgres import BIN

PACKAGES = ("granian", "flask", "flask-openapi3", "pydantic", "psycopg")


def facts() -> dict[str, str]:
    """Return machine, versions, date and commit, by name."""
    return {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Commit": _commit(),
        "Processor": f"{_processor()}, {cores()} cores",
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}",
        "Load before": f"{os.getloadavg()[0]:.1f} (1 minute average; other work on the machine shows here)",
        "Python": platform.python_version(),
        "PostgreSQL": _said(BIN / "postgres", "--version").removeprefix("postgres (PostgreSQL) "),
        **{name: version(name) for name in PACKAGES},
        "wrk": " ".join(_said("wrk", "-v").split()[1:2]),
    }


def _commit() -> str:
    changed = " with changes" if _said("git", "status", "--porcelain") else ""
    return _said("git", "rev-parse", "--short", "HEAD") + changed


def _processor() -> str:
    """Return the processor's name; Linux alone tells it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _said(*command: str | Path) -> str:
    """Return what a program says about itself; wrk does so with exit code 1."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
