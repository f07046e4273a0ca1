from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from flask_openapi3 import APIBlueprint

from chassis.app import init_app, open_database
from chassis.auth.tokens import CachingVerifier, DemoTokens
from chassis.context import Caller, Services
from chassis.db.database import constraints
from chassis.http.api import Query, Shape, public, signed_in
from chassis.http.openapi import Api, api, responses
from chassis.http.responses import JsonResponse, json_response
from chassis.problems import Conflict
from chassis.server import shutdown
from chassis.settings import Settings
from chassis.testing.postgres import fresh_database


class ToySettings(Settings):
    service: ClassVar[str] = "toy-service"


class Taken(Conflict):
    error = "taken"


class Thing(Shape):
    name: str


everyone = public("everyone", __name__)
members = signed_in("members", __name__)


class Sql(Query):
    run: str


@everyone.post("/things", responses=responses({201: Thing}, 400, 409))
def add(services: Services, body: Thing) -> JsonResponse:
    statement = "INSERT INTO things VALUES (%(name)s) RETURNING name"
    with constraints({"things_pkey": Taken}):
        services.database.fetch_one(statement, {"name": body.name})
    return json_response({"name": body.name}, 201)


@everyone.get("/sql")
def run(services: Services, query: Sql) -> JsonResponse:
    row = services.database.fetch_one(query.run)
    return json_response(list(row) if row else None)


@everyone.get("/bug")
def bug() -> JsonResponse:
    raise RuntimeError("password=hunter2 leaked")


@members.get("/me")
def me(caller: Caller) -> JsonResponse:
    return json_response(caller._asdict())


@pytest.fixture(scope="session")
def settings() -> Iterator[ToySettings]:
    with fresh_database("toy") as url:
        yield ToySettings(database_url=url, database_statement_timeout_ms=500)


@pytest.fixture
def shutdown_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the shutdown flag for workers that are started later."""
    file = tmp_path / "shutdown"
    monkeypatch.setenv(shutdown.FLAG_FILE, str(file))  # as prepare() does, and undone afterwards
    shutdown.prepare(file)
    return file


Start = Callable[..., Api]


@pytest.fixture
def start(settings: ToySettings) -> Iterator[Start]:
    """Start a service of these blueprints, with changed settings."""
    with ExitStack() as stack:

        def start(*blueprints: Blueprint, **changed: Any) -> Api:
            app = api("toy-service", "Toy", "1", port=5000)
            for blueprint in blueprints:
                (app.register_api if isinstance(blueprint, APIBlueprint) else app.register_blueprint)(blueprint)
            tokens = CachingVerifier(DemoTokens(settings.token_secrets, settings.token_ttl_seconds))
            own = settings.model_copy(update=changed)
            services = Services(settings=own, database=open_database(settings), tokens=tokens)
            stack.callback(services.database.close)
            init_app(app, services, prefix="/toy", checks={})
            return app

        yield start


@pytest.fixture
def app(start: Start) -> Api:
    app = start(everyone, members)
    with app.services.database.transaction() as connection:
        connection.execute("DROP TABLE IF EXISTS things")
        connection.execute("CREATE TABLE things (name text PRIMARY KEY)")
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Any:
    """Read the log lines written so far."""
    import orjson

    return lambda: [orjson.loads(line) for line in capfd.readouterr().out.splitlines()]
