"""One of the two services, run from its folder in this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from localshop import ROOT, Trouble
from localshop.child import Child, complete

READY_SECONDS = 30


class Service(Child):
    """The server processes of one service, and its command line."""

    def __init__(self, name: str, *, port: int, database_url: str, log: Path, environment: Mapping[str, str]) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.database_url = database_url
        fixed = {"APP_ENV": "local", "HOST": "127.0.0.1", "PORT": str(port), "DATABASE_URL": database_url}
        super().__init__(
            name,
            (sys.executable, "-m", "chassis.serve"),
            log=log,
            cwd=ROOT / "services" / name,
            environment=os.environ | environment | fixed,
        )

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
            time.sleep(0.05)
        raise self.trouble(f"is not ready after {READY_SECONDS} seconds")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def run(self, *arguments: str | Path) -> str:
        """Run its command line; return the last line that it wrote."""
        try:
            return complete(self._command_line(arguments), cwd=self.cwd, environment=self.environment)
        except Trouble as failure:
            raise Trouble(f"{self.name} {arguments[0]} failed: {failure.message}") from None

    def run_in_terminal(self, *arguments: str | Path) -> int:
        """Run its command line as if it were typed here; return its exit code."""
        return subprocess.call(self._command_line(arguments), cwd=self.cwd, env=self.environment)

    def _command_line(self, arguments: tuple[str | Path, ...]) -> tuple[str | Path, ...]:
        return (sys.executable, "-m", self.name.replace("-", "_"), *arguments)
