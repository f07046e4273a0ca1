"""Each request: an id from the door to the log, one access line, one observation in the metrics."""

from __future__ import annotations

import logging
import secrets
from time import perf_counter

from flask import Flask, Response, g, request

from chassis.logging import current_request_id, stamp_request_id
from chassis.metrics import REQUEST_SECONDS

log = logging.getLogger("access")

REQUEST_ID = "X-Request-ID"


def observe(app: Flask) -> None:
    @app.before_request
    def arrive() -> None:
        g.arrived = perf_counter()
        stamp_request_id(request.headers.get(REQUEST_ID), fallback=secrets.token_hex(16))

    @app.after_request
    def leave(answer: Response) -> Response:
        seconds = perf_counter() - g.arrived
        route = request.url_rule.rule if request.url_rule else "(none)"
        answer.headers[REQUEST_ID] = current_request_id()
        REQUEST_SECONDS.labels(request.method, route, answer.status_code).observe(seconds)
        log.info("request", extra=_fields(answer.status_code, seconds))
        return answer


def _fields(status: int, seconds: float) -> dict[str, object]:
    caller = g.get("caller")
    return {
        "method": request.method,
        "path": request.path,
        "status": status,
        "ms": round(seconds * 1000, 2),
        "user": caller.user_id if caller else None,
    }
