"""Describe the machine and the versions of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from localshop import ROOT
from localshop.postgres import BIN

PACKAGES = ("granian", "flask", "flask-openapi3", "pydantic", "psycopg")


def facts() -> dict[str, str]:
    """Return machine, versions, date and commit, by name."""
    changed = " with changes" if _output("git", "status", "--porcelain") else ""
    return {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Commit": _output("git", "rev-parse", "--short", "HEAD") + changed,
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}",
        "Load before": f"{os.getloadavg()[0]:.1f} (1 minute average; other work on the machine shows here)",
        "Python": platform.python_version(),
        "PostgreSQL": _output(BIN / "postgres", "--version").removeprefix("postgres (PostgreSQL) "),
        **{name: version(name) for name in PACKAGES},
        "wrk": " ".join(_output("wrk", "-v").split()[1:2]),
    }


def _processor() -> str:
    """Return the processor's name; only Linux has it in a file."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.machine())


def _output(*command: str | Path) -> str:
    """Return a program's output, whatever its exit code: wrk prints its version with 1."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
