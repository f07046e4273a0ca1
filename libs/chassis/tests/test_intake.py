from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import orjson
import pytest

from chassis.server import intake
from chassis.server import shutdown as drain
from chassis.server.intake import Intake

Answer = tuple[str, dict[str, str], bytes]


class Body(BytesIO):
    """A request body that notes how much of it was read."""

    read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


def ask(app: Intake, path: str = "/", body: Body | None = None, **environ: str) -> Answer:
    head: list[Any] = []
    request = {"PATH_INFO": path, "wsgi.input": body or Body(), **environ}
    content = b"".join(app(request, lambda *given: head.extend(given)))
    return head[0], dict(head[1]), content


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


@pytest.mark.parametrize("head", [{"CONTENT_LENGTH": "5"}, {"HTTP_TRANSFER_ENCODING": "chunked"}])
def test_a_body_is_complete_before_the_application_starts(head: dict[str, str]) -> None:
    body = Body(b"hello")
    seen: list[int] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(body.read_bytes)
        return echo(environ, start_response)

    assert ask(Intake(application, 1, 100), body=body, **head)[2] == b"hello"
    assert seen == [5]


def test_a_body_that_is_too_long_is_left_for_the_application_to_refuse_unread() -> None:
    body = Body(b"x" * 101)
    ask(Intake(lambda _environ, start: [start("413 TOO LARGE", []) or b""], 1, 100), body=body, CONTENT_LENGTH="101")
    assert body.read_bytes == 0


def test_of_a_chunked_body_one_byte_too_many_is_read_and_no_more() -> None:
    body = Body(b"x" * 1000)
    answer = ask(Intake(echo, 1, 100), body=body, HTTP_TRANSFER_ENCODING="chunked")
    assert (body.read_bytes, len(answer[2])) == (101, 101)


def test_who_finds_no_place_is_refused_with_retry_after_and_probes_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "QUEUE_SECONDS", 0.01)
    inside, leave = Event(), Event()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            inside.set()
            leave.wait(10)
        return echo(environ, start_response)

    app = Intake(application, 1, 100)
    slow = Thread(target=ask, args=(app, "/slow"))
    slow.start()
    inside.wait(10)

    status, headers, body = ask(app, "/orders")
    probe = ask(app, "/healthz")[0]
    leave.set()
    slow.join()

    assert (status, headers["Retry-After"], orjson.loads(body)["code"]) == (
        "503 Service Unavailable",
        "1",
        "unavailable",
    )
    assert (headers["Server"], headers["X-Content-Type-Options"], headers["Cache-Control"]) == (
        "",
        "nosniff",
        "no-store",
    )
    assert probe == "200 OK"
    assert ask(app, "/orders")[0] == "200 OK"


def test_clients_are_asked_to_reconnect_elsewhere_once_shutdown_has_begun(drain_file: Path) -> None:
    app = Intake(echo, 1, 100)
    assert "Connection" not in ask(app)[1]

    drain.begin(drain_file)

    assert ask(app)[1]["Connection"] == "close"
