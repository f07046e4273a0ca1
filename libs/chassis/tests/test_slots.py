"""Slots: requests wait for a slot, get 503 while all are stuck, and never delay probes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import orjson
import pytest
from flask import Flask
from werkzeug.test import Client

from chassis.server import slots
from chassis.server.shutdown import Application
from chassis.server.slots import limit_requests

SlotAnswer = tuple[str, dict[str, str], bytes]


def get(app: Application, path: str) -> SlotAnswer:
    head: list[Any] = []
    body = b"".join(app({"PATH_INFO": path}, lambda *given: head.extend(given)))
    return head[0], dict(head[1]), body


class StuckApplication:
    """Hold requests to /stuck until they are released; pass all others on."""

    def __init__(self, others: Application) -> None:
        self.entered, self.release = Event(), Event()
        self.others = others

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/stuck":
            self.entered.set()
            self.release.wait(10)
        return self.others(environ, start_response)


def hello(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


@contextmanager
def one_slot_stuck(others: Application = hello) -> Iterator[tuple[Application, Event]]:
    """Yield an application of one slot that is taken, and the event that releases it."""
    inner = StuckApplication(others)
    app = limit_requests(inner, 1)
    with ThreadPoolExecutor(1) as other:
        stuck = other.submit(Client(app).get, "/stuck")
        assert inner.entered.wait(10)
        yield app, inner.release
        inner.release.set()
        stuck.result()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_are_answered_while_all_slots_are_stuck(path: str) -> None:
    with one_slot_stuck() as (app, _):
        assert get(app, path)[0] == "200 OK"


@pytest.mark.parametrize(("seconds", "status"), [(0, 503), (600, 200)])
def test_readyz_fails_when_no_slot_has_come_free_for_seconds(
    app: Flask, monkeypatch: pytest.MonkeyPatch, seconds: float, status: int
) -> None:
    monkeypatch.setattr(slots, "STUCK_SECONDS", seconds)
    with one_slot_stuck(app) as (limited, _):
        answer = Client(limited).get("/readyz")
        assert answer.status_code == status
        assert ("threads" in answer.json["checks"]) == (status == 503)  # type: ignore[index]
        assert Client(limited).get("/healthz").status_code == 200
    assert Client(limited).get("/readyz").status_code == 200


def test_requests_are_refused_with_503_while_all_slots_are_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAIT_SECONDS", 0.01)
    with one_slot_stuck() as (app, _):
        status, headers, body = get(app, "/orders")
        monkeypatch.setattr(slots, "WAIT_SECONDS", 600)  # the next request does not wait
        again, *_ = get(app, "/orders")

    assert (status, headers["Retry-After"], orjson.loads(body)["code"]) == (again, "1", "unavailable")
    assert again == "503 Service Unavailable"
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert get(app, "/orders")[0] == "200 OK"


def test_request_waits_for_a_slot_that_comes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "WAIT_SECONDS", 10)
    with one_slot_stuck() as (app, release), ThreadPoolExecutor(1) as other:
        waiting = other.submit(get, app, "/orders")
        release.set()
        assert waiting.result()[0] == "200 OK"
