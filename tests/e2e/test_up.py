"""`make up` as a process: exit codes, and no process is left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from localshop.testing import free_ports

pytestmark = pytest.mark.e2e
Up = subprocess.Popen[str]
PATIENCE_SECONDS = 120


def variables_of(ports: tuple[int, int]) -> dict[str, str]:
    (mailbox,) = free_ports(1)
    return {"USER_PORT": str(ports[0]), "ORDER_PORT": str(ports[1]), "MAILBOX_PORT": str(mailbox)}


@pytest.fixture
def start(data: Path, ports: tuple[int, int]) -> Iterator[Callable[..., Up]]:
    """Return what starts `localshop up` on the test's own folder and ports, with more variables where given."""
    command = [sys.executable, "-m", "localshop", "--data", str(data), "up"]
    own_ports = variables_of(ports)
    started: list[Up] = []

    def begin(**variables: str) -> Up:
        started.append(
            subprocess.Popen(
                command,
                env={**os.environ, **own_ports, **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )
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
    patience = threading.Timer(PATIENCE_SECONDS, up.kill)
    patience.start()
    try:
        for line in up.stdout:
            said += line
            if text in line:
                return [psutil.Process(up.pid), *psutil.Process(up.pid).children(recursive=True)]
    finally:
        patience.cancel()
    raise AssertionError(f"ended, or waited {PATIENCE_SECONDS} seconds, without saying {text!r}:\n{said}")


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


def test_closed_terminal_ends_a_shop_whose_make_leads_the_session(
    data: Path, ports: tuple[int, int], tmp_path: Path
) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"up:\n\t@exec {sys.executable} -m localshop --data {data} up\n")
    variables = variables_of(ports)
    ours, theirs = pty.openpty()
    make = subprocess.Popen(
        ["setsid", "--ctty", "make", "-f", makefile],
        env={**os.environ, **variables},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        said = b""
        while b"PostgreSQL     version 18 is running" not in said:
            said += terminal.read(1000)
        processes = [psutil.Process(make.pid), *psutil.Process(make.pid).children(recursive=True)]

    assert survivors(processes, data) == []
    make.wait(40)


def test_kill_9_leaves_no_process_and_the_shop_starts_again(start: Callable[[], Up], data: Path) -> None:
    # when a running shop is killed
    up = start()
    processes = read_until(up, "Ctrl-C stops it")
    up.kill()

    # then the kernel stops its processes
    names = [process.name() for process in processes[1:]]
    assert names.count("postgres") > 1
    assert (
        len(names) - names.count("postgres") >= 7
    )  # of each service a server with a process, a job worker; the mailbox
    assert survivors(processes, data) == []

    # when the next shop gets SIGTERM
    up = start()
    processes = read_until(up, "Ctrl-C stops it")
    up.terminate()
    said, _ = up.communicate(timeout=40)

    # then it stops its processes in order
    assert up.returncode == 0
    workers = "mailbox, order-service worker, user-service worker"
    stopped = f"{workers}, order-service, user-service, PostgreSQL"
    assert said.splitlines()[-1].split(maxsplit=1) == ["stopping", stopped]
    assert survivors(processes, data) == []


@pytest.mark.parametrize(
    ("variables", "orders"), [({}, min(os.cpu_count() or 1, 4)), ({"WORKERS": "1"}, 1)], ids=["default", "WORKERS=1"]
)
def test_order_service_has_a_worker_for_each_core_by_default(
    start: Callable[..., Up], variables: dict[str, str], orders: int
) -> None:
    processes = read_until(start(**variables), "shows the mails")
    workers = Counter(Path(each.cwd()).name for each in processes if "spawn_main" in " ".join(each.cmdline()))
    assert workers == {"user-service": 1, "order-service": orders}


def test_variables_for_other_programs_do_not_reach_the_shop(start: Callable[..., Up], ports: tuple[int, int]) -> None:
    last_address = f"http://127.0.0.1:{ports[0]}/openapi/ (user-service)"
    assert read_until(start(PGSERVICE="nowhere", PGCLIENTENCODING="LATIN1", PYTHONSAFEPATH="1"), last_address)


def test_the_shop_ends_when_a_service_does_and_says_which(start: Callable[[], Up], data: Path) -> None:
    up = start()
    processes = read_until(up, "Ctrl-C stops it")
    service = next(process for process in processes if process.cwd().endswith("/services/user-service"))

    service.kill()
    said, _ = up.communicate(timeout=40)

    assert up.returncode == 1
    assert said.splitlines()[-1].startswith("Error: user-service ended by itself: ")
    assert survivors(processes, data) == []
