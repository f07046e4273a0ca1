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
from localshop.shop import Shop
from localshop.testing import free_ports

CONFIGURATION = ROOT / "compose/haproxy.cfg"
READY_SECONDS = 15


def program() -> str | None:
    """Return the path of HAProxy; Debian puts it into /usr/sbin, which may not be on the PATH."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


class Proxy:
    """Run HAProxy on loopback: `with Proxy(shop, folder) as proxy:`."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.user_port, self.order_port = free_ports()
        file = folder / "haproxy.cfg"
        file.write_text(self._configuration(shop))
        command = (program() or "haproxy", "-db", "-f", str(file))
        self._process = Child("HAProxy", command, log=folder / "haproxy.log")

    def __enter__(self) -> Proxy:
        self._process.launch()
        deadline = time.monotonic() + READY_SECONDS
        while not all(map(is_ready, (self.user_port, self.order_port))):
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

    def _configuration(self, shop: Shop) -> str:
        """Replace container addresses by this shop's, and the client timeout of 30 s by 5 s."""
        text = CONFIGURATION.read_text()
        replacements = {
            r"bind :5001": f"bind 127.0.0.1:{self.user_port}",
            r"bind :5002": f"bind 127.0.0.1:{self.order_port}",
            r"server-template (\w+) 10 user-instances:5001": rf"server \1 127.0.0.1:{shop.user.port}",
            r"server-template (\w+) 10 order-instances:5002": rf"server \1 127.0.0.1:{shop.order.port}",
            r" resolvers engine init-addr none": "",
            r"timeout client 30s": "timeout client 5s",
        }
        for pattern, replacement in replacements.items():
            text, count = re.subn(pattern, replacement, text)
            assert count == 1, pattern
        return text
