"""The upper limit of the shop: a bare WSGI callable that runs the shop's statement and sends its recorded response.

It does no routing, authentication, validation, metrics or logging, and runs under the shop's server and settings.
"""

from __future__ import annotations

import os
import pickle
import random
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from bench import statements
from bench.shop import SERVICES, Server, Shop, sized
from bench.statements import Statement
from bench.wrk import KEY, Load
from localshop import ROOT

ANSWERS = "FLOOR_ANSWERS"  # path of the file with the recorded responses
Key = tuple[str, str, str]  # method, path, Authorization
OF_THE_SERVER = {"date", "connection", "transfer-encoding"}


class Recording(NamedTuple):
    """A response of the shop, and the statement to run in the service's database before sending it."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes
    statement: Statement | None
    service: str


class Database:
    """A pool of AUTOCOMMIT connections, one per concurrent thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[psycopg.Connection[Any]] = []

    def run(self, statement: Statement) -> None:
        connection = self._idle.pop() if self._idle else psycopg.connect(self._url, autocommit=True)
        new = {statement.key: secrets.token_hex(12)} if statement.key else {}
        connection.execute(statement.sql, {**statement.parameters, **new}, prepare=True).fetchall()
        self._idle.append(connection)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


class Floor:
    """Send recorded responses; an unknown request is a KeyError and becomes a 500."""

    def __init__(self, databases: Mapping[str, str], answers: Mapping[Key, Sequence[Recording]]) -> None:
        self.databases = {service: Database(url) for service, url in databases.items()}
        self._answers = answers

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            environ["wsgi.input"].read()
        key = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION", "")
        answer = random.choice(self._answers[key])  # noqa: S311 - no secret
        if answer.statement:
            self.databases[answer.service].run(answer.statement)
        start_response(answer.status, answer.headers)
        return (answer.body,)


def load() -> Floor:
    """Return the Floor in a worker process."""
    return Floor(*pickle.loads(Path(os.environ[ANSWERS]).read_bytes()))  # noqa: S301 - written by record()


def record(shop: Shop, works: Mapping[str, Load], file: Path) -> None:
    """Send each request to the shop once and record the responses in a file."""
    answers: dict[Key, list[Recording]] = {}
    for work, asked in works.items():
        for request in dict.fromkeys(asked.requests):
            status, headers, body = ask(shop[asked.service].port, request)
            answer = Recording(status, headers, body, statements.of(work, request), asked.service)
            answers.setdefault(_key(request), []).append(answer)
    urls = {name: server.settings["DATABASE_URL"] for name, server in shop.items()}
    file.write_bytes(pickle.dumps((urls, answers)))


def _key(request: str) -> Key:
    method, path, *_ = request.split()
    _, _, token = request.partition("Authorization: ")
    return method, path.partition("?")[0], token.partition("\r\n")[0]


def ask(port: int, request: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """Send a raw request; return status, headers and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.replace(KEY, secrets.token_hex(12)).encode())
        with HTTPResponse(connection) as response:
            response.begin()
            headers = [header for header in response.getheaders() if header[0].lower() not in OF_THE_SERVER]
            return f"{response.status} {response.reason}", headers, response.read()


@contextmanager
def servers(name: str, target: str, folder: Path, **settings: str) -> Iterator[Shop]:
    """Run servers for the WSGI callable `target` of the module `name` of this package, sized as each service is."""
    (folder / name).mkdir()
    (folder / name / "app.py").write_text(f"from bench import {name}\n\napp = {name}.{target}\n")
    settings = {"PYTHONPATH": str(ROOT), **settings}
    each = {
        service: Server(name, ROOT, folder / name, folder / f"{name}-{service}.log", {**settings, **sized(service)})
        for service in SERVICES
    }
    try:
        for server in each.values():
            server.start()
        yield each
    finally:
        for server in each.values():
            server.stop()
