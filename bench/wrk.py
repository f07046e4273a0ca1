"""Load from wrk, which is fast enough not to be what is measured."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.figures import Outcome
from localshop import Trouble

SCRIPT = Path(__file__).with_name("load.lua")
KEY, END = "\2", "\1"  # what load.lua replaces in a request, and what ends one in its file
GRACE_SECONDS = 30


class Load(NamedTuple):
    """Raw requests to be sent in turn, and the one status that answers them."""

    requests: Sequence[str]
    status: int = 200
    connections: int = 16


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise Trouble("wrk is missing: apt-get install wrk")


def run(load: Load, port: int, seconds: int) -> Outcome:
    """Send the load for so long; raise Trouble when one request failed."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests", newline="") as file:
        file.writelines(request + END for request in load.requests)
        file.flush()
        options = ("-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "10s", "-s", SCRIPT)
        command = ("wrk", *options, f"http://127.0.0.1:{port}", "--", file.name, secrets.token_hex(8))
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + GRACE_SECONDS, check=False, env={}
        )
    if ended.returncode:
        raise Trouble(f"wrk: {ended.stderr.strip() or ended.stdout.strip()}")
    return parse(ended.stdout)


def parse(output: str) -> Outcome:
    """Read what load.lua has printed last; raise Trouble when one request failed, or none was answered."""
    try:
        result = json.loads(output.strip().splitlines()[-1])
        requests, failed = result["requests"], result["failed"]
        outcome = Outcome(requests / (result["microseconds"] / 1e6), requests, result["p50"] / 1e3, result["p99"] / 1e3)
    except (IndexError, ValueError, KeyError, TypeError, ZeroDivisionError) as failure:
        raise Trouble(f"wrk said something else: {output.strip()[-200:]}") from failure
    if failed or not requests:
        raise Trouble(f"{failed} requests failed, {requests} were answered: nothing to measure")
    return outcome
