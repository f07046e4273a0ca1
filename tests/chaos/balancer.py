"""Balance requests over the ready servers of a service, as a cluster does.

The clients do not retry. They keep their connection and change it only between two requests: after
`Connection: close`, or when the server is not ready any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

from chaos.wire import Line, Response, Unanswered, is_ready

CHECK_SECONDS = 0.1
THINK_SECONDS = 0.02
Errand = tuple[str, str, Any, dict[str, str]]
"""Method, path, body, headers."""


class Endpoints:
    """The ready servers of a service, checked ten times a second: `with Endpoints(ports) as endpoints:`."""

    def __init__(self, ports: Callable[[], Iterable[int]]) -> None:
        self._ports = ports
        self.ready: Sequence[int] = ()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Endpoints:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(CHECK_SECONDS):
            self._look()

    def _look(self) -> None:
        self.ready = [port for port in self._ports() if is_ready(port)]


class RetrylessClients:
    """Clients that send requests one after the other; every answer without the wanted status is a failure."""

    def __init__(self, endpoints: Endpoints, errands: Sequence[Errand], wanted: int, number: int) -> None:
        self.sent = 0
        self.acknowledged: list[Response] = []
        self.failures: list[str] = []
        self._endpoints, self._errands, self._wanted = endpoints, errands, wanted
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(place,)) for place in range(number)]

    def __enter__(self) -> RetrylessClients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, place: int) -> None:
        port, line = 0, Line([0])
        turns = count(place)
        while not self._over.wait(THINK_SECONDS):
            turn, ready = next(turns), self._endpoints.ready
            if port not in ready:
                line.close()
                port = ready[turn % len(ready)]
                line = Line([port])
            self._do(line, self._errands[turn % len(self._errands)])
        line.close()

    def _do(self, line: Line, errand: Errand) -> None:
        method, path, body, headers = errand
        self.sent += 1
        try:
            answer = line.ask(method, path, body, headers)
        except Unanswered as failure:
            self.failures.append(f"{time.monotonic():.3f} {method} {path}: {failure}")
            return
        if answer.status == self._wanted:
            self.acknowledged.append(answer)
        else:
            self.failures.append(f"{time.monotonic():.3f} {method} {path}: {answer.status} {answer.body[:200]!r}")
