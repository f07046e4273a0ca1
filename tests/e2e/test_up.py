"""`make up` as a process: exit codes, and no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.e2e
Up = subprocess.Popen[str]


@pytest.fixture
def start(data: Path, ports: tuple[int, int]) -> Iterator[Callable[[], Up]]:
    """Return a function that starts `localshop up` on the test's folder and ports."""
    command = [sys.executable, "-m", "localshop", "--data", str(data)]
    command += ["--user-port", str(ports[0]), "--order-port", str(ports[1]), "up"]
    started: list[Up] = []

    def begin() -> Up:
        started.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0)
        )
        return started[-1]

    yield begin
    for up in started:
        up.terminate()
        up.communicate(timeout=40)


def read_until(up: Up, text: str) -> list[psutil.Process]:
    """Read the output up to `text`; return all processes of the shop."""
    assert up.stdout is not None
    said = ""
    for line in up.stdout:
        said += line
        if text in line:
            return [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
    raise AssertionError(f"ended without saying {text!r}:\n{said}")


def survivors(processes: list[psutil.Process], data: Path) -> list[psutil.Process]:
    """Return which of these processes, and of all that use the data folder, still run after 20 seconds."""
    _, alive = psutil.wait_procs(processes, timeout=20)
    alive = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    related = [
        other for other in psutil.process_iter(["cmdline"]) if str(data) in " ".join(other.info["cmdline"] or [])
    ]
    return alive + related


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_a_shop_that_is_still_starting(
    start: Callable[[], Up], data: Path, number: signal.Signals
) -> None:
    up = start()
    processes = read_until(up, "PostgreSQL     version 18 is running")

    os.killpg(up.pid, number)
    up.communicate(timeout=40)

    assert up.returncode == 0
    assert survivors(processes, data) == []


def test_kill_9_leaves_no_process_and_the_shop_starts_again(start: Callable[[], Up], data: Path) -> None:
    # when a running shop is killed
    up = start()
    processes = read_until(up, "Ctrl-C stops it")
    up.kill()

    # then the kernel stops its processes
    names = [process.name() for process in processes[1:]]
    assert names.count("postgres") > 1
    assert len(names) - names.count("postgres") >= 4  # of each service a server and a worker
    assert survivors(processes, data) == []

    # when the next shop gets SIGTERM
    up = start()
    processes = read_until(up, "Ctrl-C stops it")
    up.terminate()
    said, _ = up.communicate(timeout=40)

    # then it stops its processes in order
    assert up.returncode == 0
    assert said.splitlines()[-1].split() == ["stopping", "order-service,", "user-service,", "PostgreSQL"]
    assert survivors(processes, data) == []


def test_the_shop_ends_when_a_service_does_and_says_which(start: Callable[[], Up], data: Path) -> None:
    up = start()
    processes = read_until(up, "Ctrl-C stops it")
    service = next(process for process in processes if process.cwd().endswith("/services/user-service"))

    service.kill()
    said, _ = up.communicate(timeout=40)

    assert up.returncode == 1
    assert said.splitlines()[-1].startswith("Error: user-service ended by itself: ")
    assert survivors(processes, data) == []
