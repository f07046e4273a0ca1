from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.app import open_database
from chassis.db.database import Database
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
        assert [database.fetch_one(prepared).count for _ in range(3)][-1] == kept


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
    pid = database.fetch_one("SELECT pg_backend_pid() AS pid").pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_paused_database_costs_a_request_its_deadline_and_no_more(app: Flask) -> None:
    with paused(app.services.database):
        began = time.monotonic()
        assert app.test_client().get("/sql?run=SELECT 1").status_code == 503
        assert time.monotonic() - began < 3  # deadline: 0.5 s for the statement, 1 s for the answer
    assert app.test_client().get("/sql?run=SELECT 1").status_code == 200


def test_a_server_that_accepts_and_says_nothing_is_given_up_on(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x")
        began = time.monotonic()
        with pytest.raises(Exception, match="timeout"):
            database.fetch_one("SELECT 1")
        assert time.monotonic() - began < 5


def test_a_transaction_is_taken_back_whole(app: Flask) -> None:
    database: Database = app.services.database

    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO things VALUES ('half')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert database.fetch_all("SELECT * FROM things") == []


def test_those_who_come_after_a_silent_database_was_noticed_hear_so_at_once(app: Flask) -> None:
    database: Database = app.services.database
    with paused(database), ThreadPoolExecutor(2) as pool:
        assert app.test_client().get("/sql?run=SELECT 1").status_code == 503
        database._breaker.enter()  # somebody is trying
        began = time.monotonic()
        answers = list(pool.map(lambda _: app.test_client().get("/sql?run=SELECT 1").status_code, range(20)))
        assert (set(answers), time.monotonic() - began < 1) == ({503}, True)
        database._breaker.gave_up()
    assert app.test_client().get("/sql?run=SELECT 1").status_code == 200


INSERT = "INSERT INTO things VALUES (%(name)s) RETURNING name, pg_current_xact_id()::text AS transaction"


def insert_together(database: Database, *names: str) -> list[Any]:
    """Insert each name from a thread of its own, all but the first while that one is being inserted."""
    with ThreadPoolExecutor(len(names)) as people, database.transaction() as other:  # holds up the first
        other.execute("LOCK TABLE things IN EXCLUSIVE MODE")
        futures = [people.submit(database.fetch_one_batched, "things", INSERT, {"name": names[0]})]
        while not database._crowd._waiting:
            pass
        futures += [people.submit(database.fetch_one_batched, "things", INSERT, {"name": name}) for name in names[1:]]
        while len(database._crowd._waiting["things"]) < len(names) - 1:
            pass
    return [future.exception() or future.result() for future in futures]


def test_a_crowd_is_answered_in_one_transaction(app: Flask) -> None:
    database: Database = app.services.database
    first, *others = insert_together(database, "a", "b", "c", "d")
    assert [row.name for row in (first, *others)] == ["a", "b", "c", "d"]
    assert len({row.transaction for row in others}) == 1
    assert first.transaction != others[0].transaction


def test_one_of_a_crowd_that_is_refused_is_refused_alone(app: Flask) -> None:
    database: Database = app.services.database
    first, good, twin = insert_together(database, "a", "b", "a")
    assert (first.name, good.name) == ("a", "b")
    assert isinstance(twin, psycopg.errors.UniqueViolation)
    assert sorted(row.name for row in database.fetch_all("SELECT name FROM things")) == ["a", "b"]


def test_a_crowd_whose_connection_is_lost_hears_so_and_nothing_is_tried_again(app: Flask) -> None:
    database: Database = app.services.database
    database.fetch_one("INSERT INTO things VALUES ('tried') RETURNING name")
    die = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(psycopg.OperationalError):
        database._all_first([(INSERT, {"name": "a"}), (die, {}), (INSERT, {"name": "b"})])
    assert [row.name for row in database.fetch_all("SELECT name FROM things")] == ["tried"]
