"""Client input cannot split log lines or add response headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask

EVIL = 'x\r\nSet-Cookie: admin=1\r\n{"event":"forged"}'
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Lines:
    """Read the log lines written so far; each must be one JSON object."""
    return lambda: [orjson.loads(line) for line in capfd.readouterr().out.split("\n") if line]


def send_raw(app: Flask, path: str, **environ: str) -> Any:
    """Send raw bytes, which an HTTP client library would refuse."""
    return app.test_client().get(environ_overrides={"PATH_INFO": path, **environ})


@pytest.mark.parametrize("service", ["user-service", "order-service"])
@pytest.mark.parametrize("path", [f"/nowhere/{EVIL}", "/products", "/healthz"])
@pytest.mark.parametrize(
    "header", ["HTTP_X_REQUEST_ID", "HTTP_USER_AGENT", "HTTP_IDEMPOTENCY_KEY", "HTTP_REFERER", "HTTP_TRACEPARENT"]
)
def test_line_breaks_split_no_log_line_and_no_answer(
    apps: dict[str, Flask], lines: Lines, service: str, path: str, header: str
) -> None:
    lines()
    answer = send_raw(apps[service], path, **{header: EVIL})
    assert "Set-Cookie" not in answer.headers
    assert all("\n" not in value and "\r" not in value for value in answer.headers.values())
    assert EVIL not in str(answer.headers)
    (logged,) = lines()
    assert logged["event"] == "request"
    assert logged["path"] == path
    assert logged["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("name", ["é", "a b", "x" * 129, "a\x00b", '"', "../../x", "${jndi:ldap://x}", "a\r\nb"])
def test_unsafe_request_id_is_not_reflected(apps: dict[str, Flask], name: str) -> None:
    for app in apps.values():
        answer = send_raw(app, "/healthz", HTTP_X_REQUEST_ID=name)
        assert len(answer.headers["X-Request-ID"]) == 32
        assert answer.headers["X-Request-ID"] != name


def test_log_line_of_a_long_path_is_written_at_once(apps: dict[str, Flask], lines: Lines) -> None:
    """A line of at most PIPE_BUF bytes is not mixed with lines of other processes."""
    for letter in ("x", "\x01", "\U0001f4a5"):
        for app in apps.values():
            lines()
            send_raw(app, "/" + letter.encode().decode("latin-1") * 5_000)
            (logged,) = lines()
            assert len(logged["path"]) == 500
            assert len(orjson.dumps(logged)) < 4096


def test_unknown_methods_share_one_metric(apps: dict[str, Flask]) -> None:
    for app in apps.values():
        client = app.test_client()
        for number in range(20):
            client.open("/healthz", method=f"EVIL{number}")
        metrics = client.get("/metrics").text
        assert "EVIL" not in metrics
        assert 'method="(other)"' in metrics
