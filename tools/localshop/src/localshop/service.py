"""Run one of the two services from its folder in this repository."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from localshop import ROOT
from localshop.child import Child
from localshop.environment import own
from localshop.signals import pause

READY_SECONDS = 60  # for slow machines under load


class Service(Child):
    """The server and the command line of one service."""

    def __init__(
        self,
        name: str,
        *,
        port: int,
        database_url: str,
        log: Path,
        environment: Mapping[str, str],
        migrating: Mapping[str, str] | None = None,
        works: bool = False,
        root: Path = ROOT,
    ) -> None:
        """`migrating` overrides the environment of migrations: the owner's URL, the service's role.

        With `works` it runs the service's background jobs instead of its server. `root` is the checkout it belongs to.
        """
        self.service = name
        self.root = root
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.database_url = database_url
        self._migrating = migrating or {}
        fixed = {"APP_ENV": "local", "HOST": "127.0.0.1", "PORT": str(port), "DATABASE_URL": database_url}
        server, worker = ("-m", "chassis.server"), ("-m", name.replace("-", "_"), "work")
        super().__init__(
            f"{name} worker" if works else name,
            (sys.executable, *(worker if works else server)),
            log=log,
            cwd=root / "services" / name,
            environment={**own(os.environ), **environment, **fixed},
        )

    def twin(self, port: int, *, through: str | None = None, **environment: str) -> Service:
        """Return another server of this service on the same database; `through` is another URL of it."""
        return self._like(port, through or self.database_url, self.root, environment)

    def of_checkout(self, root: Path, **environment: str) -> Service:
        """Return this service with the code of another checkout."""
        return self._like(self.port, self.database_url, root, environment)

    def _like(self, port: int, database_url: str, root: Path, environment: Mapping[str, str]) -> Service:
        return Service(
            self.service,
            port=port,
            database_url=database_url,
            log=self.log,
            environment={**self.environment, **environment},
            migrating=self._migrating,
            root=root,
        )

    def job_worker(self, port: int) -> Service:
        """Return the process that runs this service's background jobs; its probes are on `port`."""
        return Service(
            self.service,
            port=port,
            database_url=self.database_url,
            log=self.log.with_name(f"{self.service}-worker.log"),
            environment=self.environment,
            works=True,
            root=self.root,
        )

    def workers(self) -> list[psutil.Process]:
        """Return the server's worker processes."""
        return [process for process in self.family() if "spawn_main" in " ".join(process.cmdline())]

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise self.trouble("ended while it was starting")
            if self.is_ready():
                return
            pause(0.05)
        raise self.trouble(f"is not ready after {READY_SECONDS} seconds")

    def is_ready(self) -> bool:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == HTTPStatus.OK
            except (OSError, HTTPException):
                return False

    def run(self, *arguments: str | Path) -> str:
        """Run a command of the service; return the last line of its output."""
        name, command = f"{self.name} {arguments[0]}", self._command_line(arguments)
        different = self._migrating if arguments[0] == "migrate" else {}
        environment = {**self.environment, **different}
        once = Child(name, command, log=self.log, cwd=self.cwd, environment=environment, stop_signal=signal.SIGKILL)
        return once.complete()

    def run_in_terminal(self, *arguments: str | Path) -> int:
        """Run a command of the service in this terminal; return its exit code."""
        return subprocess.call(self._command_line(arguments), cwd=self.cwd, env=self.environment)

    def _command_line(self, arguments: tuple[str | Path, ...]) -> tuple[str | Path, ...]:
        return (sys.executable, "-m", self.service.replace("-", "_"), *arguments)
