"""HAProxy in front of both services, with the configuration of docker-compose.yml."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import psutil

from chaos.wire import is_ready
from localshop import ROOT
from localshop.child import Child
from localshop.testing import free_ports

CONFIGURATION = ROOT / "compose/haproxy.cfg"
READY_SECONDS = 15


def program() -> str | None:
    """Return the path of HAProxy; Debian puts it into /usr/sbin, which may not be on the PATH."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


class Proxy:
    """Run HAProxy on loopback: `with Proxy(folder, user=5001, order=5002) as proxy:`, with the services' ports."""

    def __init__(self, folder: Path, *, user: int, order: int, server_seconds: int = 30) -> None:
        self.shop_port, self.user_port, self.order_port = free_ports(3)
        file = folder / "haproxy.cfg"
        file.write_text(self._configuration(user, order, server_seconds))
        command = (program() or "haproxy", "-db", "-f", str(file))
        self._process = Child("HAProxy", command, log=folder / "haproxy.log")

    def __enter__(self) -> Proxy:
        self._process.launch()
        deadline = time.monotonic() + READY_SECONDS
        while not all(map(is_ready, (self.user_port, self.order_port))):  # the shop's port has no /readyz
            assert time.monotonic() < deadline, self._process.log.read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()

    def client_ports(self) -> set[int]:
        """Return the clients' ports of all connections that HAProxy has accepted and not closed."""
        return {
            connection.raddr.port
            for connection in psutil.Process(self._process.pid).net_connections("tcp")
            if connection.raddr
        }

    def _configuration(self, user: int, order: int, server_seconds: int) -> str:
        """Replace container addresses by the services' ports, and timeouts by shorter ones."""
        text = CONFIGURATION.read_text()
        replacements = {
            r"bind :8080": f"bind 127.0.0.1:{self.shop_port}",
            r"bind :5001": f"bind 127.0.0.1:{self.user_port}",
            r"bind :5002": f"bind 127.0.0.1:{self.order_port}",
            r"server-template (\w+) 10 user-instances:5001": rf"server \1 127.0.0.1:{user}",
            r"server-template (\w+) 10 order-instances:5002": rf"server \1 127.0.0.1:{order}",
            r" resolvers engine init-addr none": "",
            r"timeout client 30s": "timeout client 5s",
            r"timeout server 30s": f"timeout server {server_seconds}s",
        }
        for pattern, replacement in replacements.items():
            text, count = re.subn(pattern, replacement, text)
            assert count == 1, pattern
        return text
