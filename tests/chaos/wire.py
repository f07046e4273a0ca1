"""An HTTP client without retries, so that every request is counted once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple


class Unanswered(Exception):
    """The request got no answer; it may have been executed."""


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Line:
    """A keep-alive connection to one of several servers; after a failure, the next request uses the next server."""

    def __init__(self, ports: Sequence[int], timeout: float = 15) -> None:
        self._ports = list(ports)
        self._turn = 0
        self._timeout = timeout
        self._connection: HTTPConnection | None = None

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Response:
        sent = None if body is None else json.dumps(body).encode()
        content = {"Content-Type": "application/json"} if sent else {}
        connection = self._connection = self._connection or self._open()
        try:
            connection.request(method, path, sent, {**content, **(headers or {})})
            answer = connection.getresponse()
            received = Response(answer.status, answer.headers, answer.read())  # type: ignore[arg-type]
        except (OSError, HTTPException) as failure:
            self.move_on()
            raise Unanswered(repr(failure)) from failure
        if answer.will_close:
            self.move_on()
        return received

    def move_on(self) -> None:
        """Close the connection; the next request goes to the next server."""
        self.close()
        self._turn += 1

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _open(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self._ports[self._turn % len(self._ports)], timeout=self._timeout)


def is_ready(port: int) -> bool:
    line = Line([port], timeout=5)
    try:
        return line.ask("GET", "/readyz").status == 200
    except Unanswered:
        return False
    finally:
        line.close()
