"""Each request: an id from the door to the log, one access line, one observation in the metrics."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from http import HTTPMethod
from time import perf_counter
from typing import NamedTuple

import orjson
from flask import Flask, Response, g, request
from prometheus_client import Histogram

from chassis.auth.tokens import call_as, known_caller
from chassis.telemetry.logging import current_request_id, stamp_request_id
from chassis.telemetry.metrics import REQUEST_SECONDS

REQUEST_ID = "X-Request-ID"

LONGEST_PATH = 500  # a line below PIPE_BUF is written whole, whoever else writes to the same pipe

RECORDED = "chassis.recorded"
"""Set in a request's environ by the layer that records it in the framework's stead."""


class RequestRecord(NamedTuple):
    method: str
    route: str
    path: str
    status: int
    seconds: float
    user_id: str | None = None


Record = Callable[[RequestRecord], None]


@cache
def _stopwatch(method: str, route: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, route, status)


def begin_request(offered_id: str | None) -> float:
    """Stamp the request's id, on behalf of nobody yet; return the time from which its duration counts."""
    stamp_request_id(offered_id, fallback=f"{random.getrandbits(128):032x}")
    call_as(None)
    return perf_counter()


def recorder(service: str, env: str, level: str) -> Record:
    """Return the function that records an answered request.

    It writes its line itself: the fields are ours and hold no secret, and the way through the logging
    library costs a third of what answering a small request does.
    """
    head = {"level": "INFO", "logger": "access", "event": "request", "service": service, "env": env}
    silent = level in {"WARNING", "ERROR"}

    def record(answered: RequestRecord) -> None:
        method, route, path, status, seconds, user_id = answered
        if method not in HTTPMethod.__members__:
            method = "(other)"  # clients may make up as many as they like, and metrics remember each
        _stopwatch(method, route, status).observe(seconds)
        if silent:
            return
        line = {
            **head,
            "method": method,
            "path": path[:LONGEST_PATH],
            "status": status,
            "ms": round(seconds * 1000, 2),
            "user": user_id,
            "time": datetime.now(UTC),
            "request_id": current_request_id(),
        }
        os.write(1, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    return record


def observe(app: Flask, record: Record) -> None:
    @app.before_request
    def begin() -> None:
        g.arrived = begin_request(request.headers.get(REQUEST_ID))

    @app.after_request
    def end(answer: Response) -> Response:
        answer.headers[REQUEST_ID] = current_request_id()
        if RECORDED not in request.environ:
            route = request.url_rule.rule if request.url_rule else "(none)"
            caller, seconds = known_caller(), perf_counter() - g.arrived
            user_id = caller and caller.user_id
            record(RequestRecord(request.method, route, request.path, answer.status_code, seconds, user_id))
        return answer
