"""The server process: settings, protocol, connections during shutdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from granian.constants import HTTPModes

from chassis.server import shutdown
from chassis.server.__main__ import ServerSettings, server
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
