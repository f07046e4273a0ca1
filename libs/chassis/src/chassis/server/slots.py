"""Limit concurrent requests, so that probes get a thread even while a database does not answer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

import orjson

from chassis.http.security_headers import security_headers
from chassis.problems import MEDIA_TYPE, Unavailable
from chassis.server.shutdown import Application

SPARE_THREADS = 2
"""Threads of a worker beyond its slots: they answer probes, and refuse requests while every slot is stuck."""

WAIT_SECONDS = 1.0
STUCK_SECONDS = 5.0
"""After so long without a free slot the worker is not ready; longer than most statements may take."""

STUCK = "chassis.stuck"
"""In the environ of a probe: whether no slot has been free for STUCK_SECONDS."""

_ENV = os.environ.get("APP_ENV", "local")
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


def limit_requests(app: Application, slots: int) -> Application:
    """Wrap the application: it serves `slots` requests at a time; probes need no slot.

    Requests wait for a slot. When one has waited for WAIT_SECONDS without success, all requests are refused with 503
    at once, until a slot is released. /readyz fails after STUCK_SECONDS without a released slot.
    """
    free: SimpleQueue[None] = SimpleQueue()  # a semaphore costs 7 microseconds a request, this half of one
    for _ in range(slots):
        free.put(None)
    stuck = False
    last_free_at = monotonic()

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        nonlocal stuck, last_free_at
        if environ["PATH_INFO"] in _PROBES:
            environ[STUCK] = free.empty() and monotonic() - last_free_at > STUCK_SECONDS
            return app(environ, start_response)
        try:
            free.get(timeout=0 if stuck else WAIT_SECONDS)
            last_free_at = monotonic()
        except Empty:
            stuck = True
            return _refuse(start_response)
        try:
            return app(environ, start_response)
        finally:
            stuck = False
            free.put(None)

    return wrapped


def _refuse(start_response: Any) -> Iterable[bytes]:
    headers = [*Unavailable.headers, ("Content-Type", MEDIA_TYPE)]
    start_response("503 Service Unavailable", [*headers, *security_headers(headers, _ENV)])
    return [orjson.dumps(Unavailable("too busy, try again").document())]
