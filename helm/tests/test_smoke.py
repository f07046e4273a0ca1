"""Both services with the environment of a plain install, and the chart's test on them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import shop
from rendering import ROOT, SERVICES

from chassis.testing.postgres import migrated_database

CATALOGUE = "id,name,description,category,price,currency,stock\np1,Wireless Mouse,Moves,input,19.99,EUR,5\n"
Addresses = dict[str, str]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(found: shop.Shop, service: str, database: str, port: int) -> dict[str, str]:
    """Return the pod's environment, with this machine's database and port, and without a delay at shutdown."""
    secret = found.the(service, "Secret")["stringData"]
    given = found.environment(service)
    values = {name: value if isinstance(value, str) else secret.get(value[1], "") for name, value in given.items()}
    return {"PATH": os.environ["PATH"]} | values | {"DATABASE_URL": database, "PORT": str(port), "DRAIN_SECONDS": "0"}


@contextmanager
def running(found: shop.Shop, service: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Run a service as in its container; yield its address and its environment."""
    folder, port = ROOT / "services" / service, free_port()
    command = found.server(service)["command"]
    with migrated_database(f"chart_{service.replace('-', '_')}", folder / "migrations") as database:
        given = environment(found, service, database, port)
        with subprocess.Popen(
            [sys.executable, *command[1:]], cwd=folder, env=given, stdout=subprocess.DEVNULL
        ) as process:
            try:
                wait_until_ready(f"http://127.0.0.1:{port}/readyz")
                yield f"http://127.0.0.1:{port}", given
            finally:
                process.terminate()


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.URLError:
            assert time.monotonic() < deadline, f"never ready: {url}"
            time.sleep(0.1)


def walk(found: shop.Shop, service: str, addresses: Addresses) -> subprocess.CompletedProcess[str]:
    """Run the command of the chart's test on this machine."""
    (container,) = found.the(service, "Pod")["spec"]["containers"]
    given = {entry["name"]: addresses[entry["value"]] for entry in container["env"]}
    command = [sys.executable, *container["command"][1:], *container["args"]]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


@pytest.mark.e2e
def test_the_chart_tests_walk_through_the_shop(repository: Path, tmp_path: Path) -> None:
    found = shop.of_variant(repository, "defaults")
    with ExitStack() as stack:
        (users, _), (orders, given) = (stack.enter_context(running(found, service)) for service in SERVICES)
        addresses = {"http://user-service:5001": users, "http://order-service:5002": orders}

        assert walk(found, "user-service", addresses).stdout.endswith("the walk-through passed\n")

        empty = walk(found, "order-service", addresses)
        assert (empty.returncode, empty.stderr) == (1, "the catalogue is empty: import one first (helm/README.md)\n")

        products = tmp_path / "products.csv"
        products.write_text(CATALOGUE)
        importing = [sys.executable, "-m", "order_service", "catalog", "import", products]
        subprocess.run(importing, cwd=ROOT / "services/order-service", env=given, check=True, capture_output=True)

        full = walk(found, "order-service", addresses)
        assert full.stdout.endswith("the walk-through passed\n"), full.stderr
        assert f"GET {orders}/orders/" in full.stdout


class Stub(BaseHTTPRequestHandler):
    """A stub that answers the calls to user-service."""

    account: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        body = json.dumps({"token": "t", **self.account}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.account.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Write no access log."""


def test_the_walk_waits_while_connections_are_refused(repository: Path) -> None:
    found, port = shop.of_variant(repository, "defaults"), free_port()
    with ThreadPoolExecutor() as pool:
        walking = pool.submit(walk, found, "user-service", {"http://user-service:5001": f"http://127.0.0.1:{port}"})
        time.sleep(2)  # meanwhile connections of the test are refused
        with ThreadingHTTPServer(("127.0.0.1", port), Stub) as server:
            pool.submit(server.serve_forever)
            done = walking.result()
            server.shutdown()

    assert done.stdout.endswith("the walk-through passed\n"), done.stderr


class ClosesFirst(Stub):
    """Closes the first connections without an answer, then answers as Stub does."""

    left: ClassVar[list[int]] = [1, 2]

    def do_GET(self) -> None:
        if self.left:
            self.left.pop()
            return
        super().do_GET()


class Garbles(Stub):
    """Answers the first request with what is no HTTP, then as Stub does."""

    left: ClassVar[list[int]] = [1]

    def do_GET(self) -> None:
        if self.left:
            self.left.pop()
            self.wfile.write(b"go away\r\n\r\n")
            return
        super().do_GET()


@pytest.mark.parametrize("handler", [ClosesFirst, Garbles])
def test_the_walk_waits_while_connections_are_closed(repository: Path, handler: type[Stub]) -> None:
    found = shop.of_variant(repository, "defaults")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, ThreadPoolExecutor() as pool:
        pool.submit(server.serve_forever)
        done = walk(found, "user-service", {"http://user-service:5001": f"http://127.0.0.1:{server.server_port}"})
        server.shutdown()

    assert done.stdout.endswith("the walk-through passed\n"), done.stderr
