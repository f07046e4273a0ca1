"""Child processes that end when the shop ends, even when it is killed."""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from localshop import Trouble
from localshop.environment import own
from localshop.signals import pause

LONGEST_LOOK = 64 * 1024  # bytes of a log that may have grown for days
SMALLEST_ROOM = 64 * 1024  # bytes: with less, not even the log can be written
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Child:
    """A process in its own session, so that Ctrl-C reaches only the shop, which stops its children in order.

    Launch it from a long-lived thread: on Linux the process ends together with the thread that launched it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path = Path("/"),
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self.cwd = cwd
        self.environment = own(os.environ) if environment is None else environment
        self._command = command
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def launch(self, account: pwd.struct_passwd | None = None) -> None:
        """Start the process, as another user when an account is given."""
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command,
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent(self._stop_signal),  # noqa: PLW1509 - it only makes two system calls
                **_identity(account),
            )

    def complete(self, account: pwd.struct_passwd | None = None) -> str:
        """Start the process and wait for its end; return the last important line of its log; raise Trouble."""
        self.launch(account)
        try:
            while self.running:
                pause(0.02)
        finally:
            self.kill()
        if self._process is None or self._process.returncode:
            raise self.trouble("failed")
        return _gist(self._lines())

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self._stop_signal)

    def wait(self, seconds: float) -> int | None:
        """Wait for the process; return its exit code, None while it still runs."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(seconds)
        return None

    def stop(self, grace_seconds: float = 15) -> None:
        """Send the stop signal; kill the process and its descendants after `grace_seconds`."""
        self.ask_to_stop()
        self.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the process and its descendants with SIGKILL."""
        if self._process is None:
            return
        family = _descendants(self._process.pid)  # PostgreSQL's processes have their own sessions and groups
        with suppress(ProcessLookupError, PermissionError):  # macOS says "not permitted" when the group has ended
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=5)

    def freeze(self) -> None:
        """Suspend the process and its descendants, as if the machine hung."""
        for process in self.family()[:1]:
            process.suspend()  # first, so that it starts no other process meanwhile
        for process in self.family()[1:]:
            process.suspend()

    def thaw(self) -> None:
        for process in self.family():
            process.resume()

    def family(self) -> list[psutil.Process]:
        """Return the process and its descendants."""
        return [psutil.Process(self.pid), *_descendants(self.pid)] if self.pid and self.running else []

    def trouble(self, what: str, last_resort: str = "") -> Trouble:
        """Return an error with the line of the log that says why; a full disk has one cure alone."""
        lines = self._lines()
        if self._has_full_disk(lines):
            return Trouble(f"{self.name} {what}: the disk of {self.log.parent} is full: make room, then start again")
        return Trouble(f"{self.name} {what}: {_gist(lines)} (more in {self.log}){last_resort and '; '}{last_resort}")

    def _has_full_disk(self, lines: list[str]) -> bool:
        """Tell whether the log says so, or could not be written at all."""
        reported = any(os.strerror(number) in line for line in lines for number in (errno.ENOSPC, errno.EDQUOT))
        return reported or shutil.disk_usage(self.log.parent).free < SMALLEST_ROOM

    def _lines(self) -> list[str]:
        """Return the lines of the log since the start, without empty ones."""
        with self.log.open("rb") as log:
            log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - LONGEST_LOOK))
            return [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]


def _gist(lines: list[str]) -> str:
    """Return the last line that complains, or else the last."""
    complaints = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:"))]
    return (complaints or lines or ["it said nothing"])[-1]


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _end_with_parent(farewell: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn` that makes the kernel send `farewell` when the parent ends."""
    parent = os.getpid()

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, farewell)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _identity(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the Popen arguments that run a process as `account`; none for None."""
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
