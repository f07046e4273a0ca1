from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient

from chassis.app import init_app, open_database
from chassis.auth.tokens import DemoTokens, caller
from chassis.db.database import Database, constraints, current_database
from chassis.http.api import Shape, api, public, responses, signed_in
from chassis.http.responses import JsonResponse, json_response
from chassis.problems import Conflict
from chassis.server import shutdown
from chassis.settings import Settings
from chassis.testing.postgres import closing, fresh_database


class ToySettings(Settings):
    service: ClassVar[str] = "toy-service"


class Taken(Conflict):
    error = "taken"


class Thing(Shape):
    name: str


everyone = public("everyone", __name__)
members = signed_in("members", __name__)


@everyone.post("/things", responses=responses({201: Thing}, 400, 409))
def add(body: Thing) -> JsonResponse:
    statement = "INSERT INTO things VALUES (%(name)s) RETURNING name"
    with constraints({"things_pkey": Taken}):
        current_database().fetch_one(statement, {"name": body.name})
    return json_response({"name": body.name}, 201)


@everyone.get("/sql")
def run() -> JsonResponse:
    row = current_database().fetch_one(request.args["run"])
    return json_response(list(row) if row else None)


@everyone.get("/bug")
def bug() -> Response:
    raise RuntimeError("password=hunter2 leaked")


@members.get("/me")
def me() -> JsonResponse:
    return json_response(caller()._asdict())


@pytest.fixture(scope="session")
def settings() -> Iterator[ToySettings]:
    with fresh_database("toy") as url:
        yield ToySettings(database_url=url, database_statement_timeout_ms=500)


@pytest.fixture
def shutdown_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what a server prepares for its workers; ask for it before they are made."""
    file = tmp_path / "shutdown"
    monkeypatch.setenv(shutdown.FLAG_FILE, str(file))  # as prepare() does, and undone afterwards
    shutdown.prepare(file)
    return file


@pytest.fixture
def app(settings: ToySettings) -> Iterator[Flask]:
    app = api("toy-service", "Toy", "1")
    database: Database = open_database(settings)
    tokens = DemoTokens(settings.token_secrets, settings.token_ttl_seconds)
    init_app(app, settings, database=database, checks={}, tokens=tokens)
    app.register_api(everyone)
    app.register_api(members)
    with database.transaction() as connection:
        connection.execute("DROP TABLE IF EXISTS things")
        connection.execute("CREATE TABLE things (name text PRIMARY KEY)")
    with closing(app):
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Any:
    """Read the log lines written so far."""
    import orjson

    return lambda: [orjson.loads(line) for line in capfd.readouterr().out.splitlines()]
