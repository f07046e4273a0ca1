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
from chassis.db.database import Call, Database, as_problem
from chassis.db.pool import PoolTimeout
from chassis.problems import Unavailable
from chassis.settings import Settings


def test_connections_closed_by_the_server_are_replaced(client: FlaskClient, settings: Settings) -> None:
    client.get("/sql?run=SELECT 1")
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert client.get("/sql?run=SELECT 2").json == [2]


@pytest.mark.parametrize(("wanted", "kept"), [(True, 1), (False, 0)])
def test_statements_are_prepared_unless_switched_off(settings: Settings, wanted: bool, kept: int) -> None:
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
def test_temporary_database_failure_gets_503_with_retry_after(client: FlaskClient, statement: str) -> None:
    answer = client.get("/sql", query_string={"run": statement})
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "1"
    assert client.get("/sql?run=SELECT 1").status_code == 200


def test_connection_to_a_server_that_became_a_standby_is_replaced(settings: Settings) -> None:
    write, pid = "CREATE TEMP TABLE written ()", "SELECT pg_backend_pid() AS pid"
    with closing(Database(settings.database_url, pool_size=1)) as database:
        before = database.fetch_one(pid).pid
        database.fetch_one("SELECT set_config('default_transaction_read_only', 'on', false)")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as refused:
            database.fetch_one_batched("key", write, {})
        assert isinstance(as_problem(refused.value), Unavailable)
        with database.transaction() as connection:
            connection.execute(write)
        assert database.fetch_one(pid).pid != before


def test_a_wrong_statement_is_answered_500(client: FlaskClient) -> None:
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


def test_paused_database_fails_a_request_after_its_deadline(app: Flask) -> None:
    with paused(app.services.database):
        began = time.monotonic()
        assert app.test_client().get("/sql?run=SELECT 1").status_code == 503
        assert time.monotonic() - began < 3  # deadline: 0.5 s for the statement, 1 s for the answer
    assert app.test_client().get("/sql?run=SELECT 1").status_code == 200


def test_a_server_that_accepts_and_stays_silent_times_out(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/x")
        began = time.monotonic()
        with pytest.raises(Exception, match="timeout"):
            database.fetch_one("SELECT 1")
        assert time.monotonic() - began < 5


def test_a_failed_transaction_is_rolled_back(app: Flask) -> None:
    database: Database = app.services.database

    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO things VALUES ('half')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert database.fetch_all("SELECT * FROM things") == []


def test_while_one_call_tries_a_silent_database_others_fail_at_once(app: Flask) -> None:
    database: Database = app.services.database
    with paused(database), ThreadPoolExecutor(2) as pool:
        assert app.test_client().get("/sql?run=SELECT 1").status_code == 503
        database._breaker.check()  # this is the trial
        began = time.monotonic()
        answers = list(pool.map(lambda _: app.test_client().get("/sql?run=SELECT 1").status_code, range(20)))
        assert (set(answers), time.monotonic() - began < 1) == ({503}, True)
        database._breaker.record_answer()
    assert app.test_client().get("/sql?run=SELECT 1").status_code == 200


INSERT = "INSERT INTO things VALUES (%(name)s) RETURNING name, pg_current_xact_id()::text AS transaction"


def insert_together(database: Database, *names: str) -> list[Any]:
    """Insert each name from a thread of its own, all but the first while that one waits."""
    with ThreadPoolExecutor(len(names)) as threads, database.transaction() as other:  # holds up the first
        other.execute("LOCK TABLE things IN EXCLUSIVE MODE")
        futures = [threads.submit(database.fetch_one_batched, "things", INSERT, {"name": names[0]})]
        while not database._batcher._groups:
            pass
        futures += [threads.submit(database.fetch_one_batched, "things", INSERT, {"name": name}) for name in names[1:]]
        while len(database._batcher._groups["things"].waiting) < len(names) - 1:
            pass
    return [future.exception() or future.result() for future in futures]


def test_waiting_calls_run_in_one_transaction(app: Flask) -> None:
    database: Database = app.services.database
    first, *others = insert_together(database, "a", "b", "c", "d")
    assert [row.name for row in (first, *others)] == ["a", "b", "c", "d"]
    assert len({row.transaction for row in others}) == 1
    assert first.transaction != others[0].transaction


def test_a_refused_call_does_not_fail_its_batch(app: Flask) -> None:
    database: Database = app.services.database
    first, good, twin = insert_together(database, "a", "b", "a")
    assert (first.name, good.name) == ("a", "b")
    assert isinstance(twin, psycopg.errors.UniqueViolation)
    assert sorted(row.name for row in database.fetch_all("SELECT name FROM things")) == ["a", "b"]


def test_a_batch_whose_connection_is_lost_is_not_retried(app: Flask) -> None:
    database: Database = app.services.database
    database.fetch_one("INSERT INTO things VALUES ('tried') RETURNING name")
    die = "SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(psycopg.OperationalError):
        database._run_batch([Call(INSERT, {"name": "a"}), Call(die, {}), Call(INSERT, {"name": "b"})])
    assert [row.name for row in database.fetch_all("SELECT name FROM things")] == ["tried"]


def test_a_batch_waits_briefly_for_a_lock_and_changes_nothing(app: Flask, settings: Settings) -> None:
    with closing(Database(settings.database_url)) as database:
        with database.transaction() as other:
            other.execute("LOCK TABLE things IN EXCLUSIVE MODE")
            with pytest.raises(Unavailable):
                database._run_batch([Call(INSERT, {"name": "a"}), Call(INSERT, {"name": "b"})])
        assert database.fetch_all("SELECT name FROM things") == []
        waits = database._run_batch([Call("SELECT current_setting('lock_timeout') AS wait", {})] * 2)
        assert [row.wait for row in waits] == ["1s", "1s"]


def test_options_of_the_database_url_are_kept(settings: Settings) -> None:
    url = settings.database_url + "&options=-c%20search_path%3Dshop"
    with closing(Database(url, statement_timeout_ms=1234)) as database:
        row = database.fetch_one(
            "SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS ms"
        )
    assert tuple(row) == ("shop", "1234ms")


def test_calls_run_alone_stop_at_a_failure_of_the_database(app: Flask) -> None:
    database: Database = app.services.database
    end = "SELECT pg_terminate_backend(pg_backend_pid())"
    calls = [Call(INSERT, {"name": "a"}), Call(end, {}), Call(INSERT, {"name": "b"})]
    first, *rest = database._run_each(calls)
    assert first.name == "a"
    assert {type(failure) for failure in rest} == {psycopg.errors.AdminShutdown}
    assert [row.name for row in database.fetch_all("SELECT name FROM things")] == ["a"]


@pytest.mark.parametrize(
    ("failure", "passes"),
    [
        (PoolTimeout(), True),
        (psycopg.OperationalError("no server there"), True),
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.UndefinedColumn(), False),
        (psycopg.InterfaceError(), False),
        (KeyError(), False),
    ],
)
def test_temporary_database_failure_is_unavailable(failure: Exception, passes: bool) -> None:
    problem = as_problem(failure)
    assert type(problem) is (Unavailable if passes else type(None))
