"""The outermost WSGI layer of a server process: who waits, who works, and who is asked to go elsewhere.

The server hands a request over as soon as its headers are there, and reading the body then blocks a thread for as
long as the client likes. So bodies are read by many cheap threads, and only complete requests compete for the few
that work. Probes of the orchestrator never queue: a busy process is not a dead one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from queue import Empty, SimpleQueue
from typing import Any

import orjson

from chassis.http.security_headers import REFUSAL
from chassis.problems import MEDIA_TYPE, Unavailable
from chassis.server import shutdown as drain

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

READERS = 512
"""How many requests of one worker may be arriving at the same time, slow ones included."""

QUEUE_SECONDS = 2
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class Intake:
    """Let complete requests in, `places` at a time; while shutting down, ask clients to reconnect elsewhere."""

    def __init__(self, app: Application, places: int, longest_body: int) -> None:
        self._app = app
        self._longest_body = longest_body
        self._draining = drain.watch()
        self._places: SimpleQueue[None] = SimpleQueue()  # a semaphore costs 7 microseconds a request, this half of one
        for _ in range(places):
            self._places.put(None)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        self._receive(environ)
        if self._draining():
            start_response = _closing(start_response)
        if environ["PATH_INFO"] in _PROBES:
            return self._app(environ, start_response)
        try:
            self._places.get(timeout=QUEUE_SECONDS)
        except Empty:
            return _refuse(start_response)
        try:
            return self._app(environ, start_response)
        finally:
            self._places.put(None)

    def _receive(self, environ: Environ) -> None:
        """Put the whole body where the application reads it; leave one that is too long for it to refuse unread."""
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if chunked or 0 < length <= self._longest_body:
            environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(self._longest_body + 1 if chunked else length))


def _closing(start_response: Any) -> Any:
    def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
        return start_response(status, [*headers, ("Connection", "close")], *failure)

    return start


def _refuse(start_response: Any) -> Iterable[bytes]:
    body = orjson.dumps(Unavailable("too busy, try again").document())
    start_response("503 Service Unavailable", [*Unavailable.headers, ("Content-Type", MEDIA_TYPE), *REFUSAL])
    return [body]
