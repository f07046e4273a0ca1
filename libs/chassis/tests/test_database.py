from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis import open_database
from chassis.database import Database
from chassis.settings import Settings


def test_a_constraint_decides_and_its_name_becomes_a_problem(client: FlaskClient) -> None:
    assert client.post("/things", json={"name": "a"}).status_code == 201
    answer = client.post("/things", json={"name": "a"})
    assert (answer.status_code, answer.json["error"]) == (409, "taken")  # type: ignore[index]


def test_connections_that_the_server_closed_are_replaced_without_a_failed_request(
    client: FlaskClient, settings: Settings
) -> None:
    client.get("/sql?run=SELECT 1")
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert client.get("/sql?run=SELECT 2").json == [2]


@pytest.mark.parametrize(("wanted", "kept"), [(True, 1), (False, 0)])
def test_statements_are_prepared_unless_a_pooler_could_not_keep_them(
    settings: Settings, wanted: bool, kept: int
) -> None:
    prepared = "SELECT count(*) FROM pg_prepared_statements"
    with closing(open_database(settings.model_copy(update={"database_prepared_statements": wanted}))) as database:
        assert [database.first(prepared).count for _ in range(3)][-1] == kept


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELECT pg_terminate_backend(pg_backend_pid())", id="connection lost"),
        pytest.param("SELECT pg_sleep(5)", id="statement timeout"),
        pytest.param("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", id="disk full"),
        pytest.param("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", id="deadlock"),
    ],
)
def test_what_passes_is_answered_503_with_retry_after(client: FlaskClient, statement: str) -> None:
    answer = client.get("/sql", query_string={"run": statement})
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "1"
    assert client.get("/sql?run=SELECT 1").status_code == 200


def test_a_wrong_statement_is_our_bug_and_a_500(client: FlaskClient) -> None:
    assert client.get("/sql?run=SELECT nonsense").status_code == 500


@contextmanager
def paused(database: Database) -> Iterator[None]:
    """Stop the server process behind the pool's one idle connection."""
    pid = database.first("SELECT pg_backend_pid() AS pid").pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_paused_database_costs_a_request_its_deadline_and_no_more(app: Flask) -> None:
    with paused(app.extensions["database"]):
        began = time.monotonic()
        assert app.test_client().get("/sql?run=SELECT 1").status_code == 503
        assert time.monotonic() - began < 3  # deadline: 0.5 s for the statement, 1 s for the answer
    assert app.test_client().get("/sql?run=SELECT 1").status_code == 200


def test_a_server_that_accepts_and_says_nothing_is_given_up_on(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x")
        began = time.monotonic()
        with pytest.raises(Exception, match="timeout"):
            database.first("SELECT 1")
        assert time.monotonic() - began < 5


def test_a_transaction_is_taken_back_whole(app: Flask) -> None:
    database: Database = app.extensions["database"]

    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO things VALUES ('half')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert database.all("SELECT * FROM things") == []


def test_those_who_come_after_a_silent_database_was_noticed_hear_so_at_once(app: Flask) -> None:
    database: Database = app.extensions["database"]
    with paused(database), ThreadPoolExecutor(2) as pool:
        assert app.test_client().get("/sql?run=SELECT 1").status_code == 503
        database._breaker.enter()  # somebody is trying
        began = time.monotonic()
        answers = list(pool.map(lambda _: app.test_client().get("/sql?run=SELECT 1").status_code, range(20)))
        assert (set(answers), time.monotonic() - began < 1) == ({503}, True)
        database._breaker.gave_up()
    assert app.test_client().get("/sql?run=SELECT 1").status_code == 200
