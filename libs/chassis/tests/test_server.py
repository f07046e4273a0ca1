"""The server process: settings, protocol, connections during shutdown."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from granian.constants import HTTPModes

from chassis.server import shutdown
from chassis.server.__main__ import ServerSettings, listening_address, server
from chassis.server.shutdown import close_connections
from chassis.server.slots import SPARE_THREADS


def test_service_name_is_the_folder_unless_it_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "user-service").mkdir()
    monkeypatch.chdir(tmp_path / "user-service")
    monkeypatch.setenv("PORT", "5001")
    monkeypatch.delenv("SERVICE_NAME", raising=False)
    assert ServerSettings().service_name == "user-service"

    monkeypatch.setenv("SERVICE_NAME", "order-service")
    assert ServerSettings().service_name == "order-service"


def test_server_speaks_http_1_alone_with_as_many_threads_as_set() -> None:
    granian = server(ServerSettings(port=5001, threads=5))

    assert granian.http == HTTPModes.http1
    assert granian.blocking_threads == 5 + SPARE_THREADS


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::", "::"), ("[::]", "::"), ("[::1]", "::1")],
)
def test_server_listens_on_names_and_on_addresses_in_brackets(host: str, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert listening_address(host, port) == address


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "", "\udcff", "x" * 64])
def test_server_that_cannot_listen_exits_with_the_setting_and_reason(host: str) -> None:
    with pytest.raises(SystemExit, match="HOST, PORT: cannot listen on"):
        listening_address(host, 5001)


def test_server_exits_with_the_reason_when_its_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SystemExit, match=f"'127.0.0.1', port {port}: Address already in use"):
            listening_address("127.0.0.1", port)


def hello(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def headers_of_a_response(app: shutdown.Application) -> dict[str, str]:
    sent: list[tuple[str, str]] = []
    assert b"".join(app({}, lambda _status, headers: sent.extend(headers))) == b"hello"
    return dict(sent)


def test_responses_close_their_connections_once_shutdown_has_begun(shutdown_flag: Path) -> None:
    app = close_connections(hello)
    assert headers_of_a_response(app) == {"Content-Type": "text/plain"}

    shutdown.begin(shutdown_flag)

    assert headers_of_a_response(app) == {"Content-Type": "text/plain", "Connection": "close"}


SLOW_APPLICATION = """
import time
from pathlib import Path

def app(environ, start_response):
    Path("entered").touch()
    for _ in range(20_000):
        time.sleep(0.001)
    start_response("200 OK", [])
    return [b"hello"]
"""


def eventually(path: Path) -> None:
    give_up_at = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < give_up_at, f"{path} does not appear"
        time.sleep(0.02)


def leave_a_request(address: tuple[str, int], entered: Path) -> None:
    """Send a request as soon as the server listens, and close the connection before the response."""
    while True:
        try:
            with socket.create_connection(address) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
                return eventually(entered)
        except ConnectionRefusedError:
            time.sleep(0.05)


def test_worker_ends_without_abort_after_a_client_has_left(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SLOW_APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    environment = {**os.environ, "HOST": address[0], "PORT": str(address[1]), "THREADS": "2"}
    server = subprocess.Popen(
        [sys.executable, "-m", "chassis.server"],
        cwd=tmp_path,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        leave_a_request(address, tmp_path / "entered")
        time.sleep(0.2)  # the server notices that the client has left
    finally:
        server.send_signal(signal.SIGTERM)
        output, _ = server.communicate(timeout=30)
    assert "panic" not in output
    assert server.returncode == 0
