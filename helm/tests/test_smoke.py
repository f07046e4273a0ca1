"""The chart test's walk-through, run as its pod would run it, against a small stand-in of the shop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import shop
from rendering import Doc


class Shop(BaseHTTPRequestHandler):
    """Answers as the contract says; `server.products` and `server.total` can be spoilt."""

    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        self.server.seen.append(f"{self.command} {self.path}")
        if self.path == "/register":
            self.server.username = body["username"]
        order = {"order_id": "o1", "total": self.server.total if self.command == "GET" else 19.99}
        answers = {
            "/register": {"id": "u1"},
            "/login": {"token": "a-token"},
            "/profile": {"username": getattr(self.server, "username", "")},
            "/products": self.server.products,
            "/orders": order,
            "/orders/o1": order,
        }
        public = self.path in {"/register", "/login", "/products"}
        allowed = public or self.headers["Authorization"] == "Bearer a-token"
        self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(json.dumps(answers[self.path]).encode())

    do_GET = do_POST = answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        server.seen, server.products, server.total = [], [{"id": "p1"}], 19.99
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def walk(pod: Doc, server: ThreadingHTTPServer) -> subprocess.CompletedProcess[str]:
    """Run the pod's container on this machine, its addresses replaced by the stand-in's."""
    (container,) = pod["spec"]["containers"]
    names = [entry["name"] for entry in container["env"]]
    address = f"http://127.0.0.1:{server.server_port}"
    command = [sys.executable, *container["command"][1:], *container["args"]]
    environment = os.environ | dict.fromkeys(names, address)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


USER_PART = ["POST /register", "POST /login", "GET /profile"]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("user-service", USER_PART),
        ("order-service", [*USER_PART, "GET /products", "POST /orders", "GET /orders/o1"]),
    ],
)
def test_the_walk_goes_through_the_shop(
    repository: Path, server: ThreadingHTTPServer, service: str, expected: list[str]
) -> None:
    done = walk(shop.of_variant(repository, "defaults").the(service, "Pod"), server)

    assert done.stdout.endswith("the walk-through passed\n"), done.stderr
    assert server.seen == expected


@pytest.mark.parametrize(("spoilt", "value"), [("products", []), ("total", 0.01)])
def test_the_walk_fails_when_the_shop_does(
    repository: Path, server: ThreadingHTTPServer, spoilt: str, value: object
) -> None:
    setattr(server, spoilt, value)

    done = walk(shop.of_variant(repository, "defaults").the("order-service", "Pod"), server)

    assert done.returncode == 1
    assert "passed" not in done.stdout


def test_the_pod_walks_to_the_services_where_they_are(repository: Path) -> None:
    (container,) = shop.of_variant(repository, "defaults").the("order-service", "Pod")["spec"]["containers"]

    assert {entry["name"]: entry["value"] for entry in container["env"]} == {
        "USER_SERVICE_URL": "http://user-service:5001",
        "ORDER_SERVICE_URL": "http://order-service:5002",
    }
