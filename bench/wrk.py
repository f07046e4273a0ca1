"""Send load with wrk and parse its results."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.figures import Outcome
from localshop import Trouble

SCRIPT = Path(__file__).with_name("load.lua")
KEY, END = "\2", "\1"  # replaced by load.lua; separator of requests in its file
GRACE_SECONDS = 30
LEAD_SECONDS = 0.5  # the background load runs this long before and after the measured one


class Load(NamedTuple):
    """Raw requests that are sent to a service in turn.

    `pause_ms`: wait of each connection before each request. A status of 400 or above makes the measurement invalid,
    except with `may_be_refused`, which leaves such responses out of the rate. `meanwhile` is a background load.
    """

    requests: Sequence[str]
    connections: int = 16
    service: str = "order-service"
    pause_ms: int = 0
    may_be_refused: bool = False
    meanwhile: Load | None = None


class Listening(Protocol):
    port: int


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        raise Trouble("wrk is missing: apt-get install wrk")


def send(load: Load, servers: Mapping[str, Listening], seconds: int) -> Outcome:
    """Send a load to its service, together with its background load."""
    port = servers[load.service].port
    if load.meanwhile is None:
        return run(load, port, seconds)
    with ThreadPoolExecutor(1) as pool:
        background = pool.submit(send, load.meanwhile, servers, seconds + round(2 * LEAD_SECONDS))
        time.sleep(LEAD_SECONDS)
        outcome = run(load, port, seconds)
        return outcome._replace(meanwhile=background.result())


def run(load: Load, port: int, seconds: int) -> Outcome:
    """Send a load for some seconds; raise Trouble when a request failed."""
    with tempfile.NamedTemporaryFile("w", suffix=".requests", newline="") as file:
        file.writelines(request + END for request in load.requests)
        file.flush()
        options = ("-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "10s", "-s", SCRIPT)
        arguments = (file.name, secrets.token_hex(8), str(load.pause_ms))
        command = ("wrk", *options, f"http://127.0.0.1:{port}", "--", *arguments)
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + GRACE_SECONDS, check=False, env={}
        )
    if ended.returncode:
        raise Trouble(f"wrk: {ended.stderr.strip() or ended.stdout.strip()}")
    return parse(ended.stdout, may_be_refused=load.may_be_refused)


def parse(output: str, *, may_be_refused: bool = False) -> Outcome:
    """Parse load.lua's last line; raise Trouble when a request failed or none was answered."""
    try:
        result = json.loads(output.strip().splitlines()[-1])
        refused, failed = result["refused"], result["failed"]
        answered, seconds = result["requests"], result["microseconds"] / 1e6
        outcome = Outcome((answered - refused) / seconds, answered, result["p50"] / 1e3, result["p99"] / 1e3)
    except (IndexError, ValueError, KeyError, TypeError, ZeroDivisionError) as failure:
        raise Trouble(f"wrk printed something else than a result: {output.strip()[-200:]}") from failure
    if failed or not answered or (refused and not may_be_refused):
        raise Trouble(f"{failed} requests failed, {refused} of {answered} answers were refusals: nothing to measure")
    return outcome
