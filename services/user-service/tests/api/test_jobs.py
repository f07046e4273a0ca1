"""Background jobs run once, survive the end of their worker, and wait when they fail."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from chassis.db.database import Database
from chassis.jobs import defer
from chassis.jobs.queue import Queue, procrastinate_app, retry_stalled
from chassis.jobs.schema import FIRST
from chassis.jobs.tasks import Permanent, Tasks, pause_seconds
from user_service.jobs import tasks as tasks_of_service

Run = Callable[..., Any]


class Interrupted(Exception):
    """A transaction that fails after it has deferred a job."""


@pytest.fixture
def ran() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def tasks(ran: list[tuple[str, dict[str, Any]]]) -> Tasks:
    tasks = Tasks()

    @tasks.task()
    def greet(services: Any, **ids: Any) -> None:
        ran.append(("greet", ids))
        if ids.get("fail") == "once":
            raise ConnectionError
        if ids.get("fail") == "always":
            raise Permanent

    return tasks


@pytest.fixture
def work(app: Flask, db: Database, tasks: Tasks) -> Callable[[], None]:
    """Return a function that runs all jobs that can run now."""

    def work() -> None:
        application = procrastinate_app(Queue(db), tasks, app.services)  # type: ignore[attr-defined]
        options: dict[str, Any] = {"wait": False, "listen_notify": False, "install_signal_handlers": False}
        asyncio.run(application.run_worker_async(queues=["greet"], delete_jobs="successful", **options))

    return work


def deferred(db: Database, task: str = "greet", **options: Any) -> None:
    ids = {"user_id": options.pop("user_id", "u-1")} | options.pop("more", {})
    with db.transaction() as connection:
        defer(connection, task, ids, **options)


def test_a_job_runs_once_with_its_ids(db: Database, work: Run, ran: list[Any], run: Run) -> None:
    deferred(db, user_id="u-7")
    work()
    work()
    assert ran == [("greet", {"user_id": "u-7"})]
    assert run("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


def test_a_job_of_a_transaction_that_fails_never_runs(db: Database, work: Run, ran: list[Any]) -> None:
    def interrupted() -> None:
        with db.transaction() as connection:
            defer(connection, "greet", {"user_id": "u-1"})
            raise Interrupted

    with pytest.raises(Interrupted):
        interrupted()
    work()
    assert ran == []


def test_a_job_waits_for_its_time(db: Database, work: Run, ran: list[Any]) -> None:
    deferred(db, run_at=datetime.now(UTC) + timedelta(hours=1))
    deferred(db, user_id="u-2", run_at=datetime.now(UTC) - timedelta(hours=1))
    work()
    assert ran == [("greet", {"user_id": "u-2"})]


def test_only_one_job_with_a_queueing_lock_waits(db: Database, work: Run, ran: list[Any]) -> None:
    deferred(db, queueing_lock="verify u-1")
    deferred(db, queueing_lock="verify u-1")
    deferred(db, queueing_lock="verify u-2", user_id="u-2")
    work()
    assert [ids["user_id"] for _, ids in ran] == ["u-1", "u-2"]


def test_a_job_of_newer_code_waits_for_a_newer_worker(db: Database, work: Run, run: Run) -> None:
    deferred(db, "a_task_of_the_next_release")
    work()
    assert run("SELECT task_name, status::text FROM procrastinate_jobs") == [("a_task_of_the_next_release", "todo")]


def test_a_failed_job_is_run_again_later(db: Database, work: Run, ran: list[Any], run: Run) -> None:
    deferred(db, more={"fail": "once"})
    work()
    work()
    assert len(ran) == 1
    assert run("SELECT status::text, attempts, scheduled_at > now() FROM procrastinate_jobs") == [("todo", 1, True)]


def test_a_permanent_failure_is_not_run_again(db: Database, work: Run, ran: list[Any], run: Run) -> None:
    deferred(db, more={"fail": "always"})
    work()
    work()
    assert len(ran) == 1
    assert run("SELECT status::text FROM procrastinate_jobs") == [("failed",)]


@contextmanager
def taken_by_a_worker_that_died(db: Database, run: Run, silent_seconds: int) -> Iterator[None]:
    """Let a worker fetch the job, then send no heartbeat for some seconds."""
    (worker,) = run("SELECT worker_id FROM procrastinate_register_worker_v1()")
    db.fetch_one("SELECT id FROM procrastinate_fetch_job_v2(ARRAY['greet'], %(id)s)", {"id": worker[0]})
    run("UPDATE procrastinate_workers SET last_heartbeat = now() - make_interval(secs => %(s)s)", s=silent_seconds)
    yield


def test_the_job_of_a_dead_worker_is_run_by_another(db: Database, work: Run, ran: list[Any], run: Run) -> None:
    deferred(db)
    with taken_by_a_worker_that_died(db, run, silent_seconds=31):
        retry_stalled(db)
    work()
    assert len(ran) == 1


def test_the_job_of_a_living_worker_is_left_to_it(db: Database, work: Run, ran: list[Any], run: Run) -> None:
    deferred(db)
    with taken_by_a_worker_that_died(db, run, silent_seconds=29):
        retry_stalled(db)
    work()
    assert ran == []


def test_a_job_whose_worker_left_without_it_is_run_again(db: Database, work: Run, ran: list[Any], run: Run) -> None:
    deferred(db)
    with taken_by_a_worker_that_died(db, run, silent_seconds=0):
        run("DELETE FROM procrastinate_workers")
        retry_stalled(db)
    work()
    assert len(ran) == 1


def test_of_two_stalled_jobs_with_one_lock_one_is_run(db: Database, work: Run, ran: list[Any], run: Run) -> None:
    for _ in range(2):
        deferred(db, queueing_lock="verify u-1")
        with taken_by_a_worker_that_died(db, run, silent_seconds=31):
            pass
    retry_stalled(db)
    work()
    assert len(ran) == 1
    assert run("SELECT status::text FROM procrastinate_jobs") == [("cancelled",)]


def test_a_job_that_ends_its_workers_waits_longer_each_time(db: Database, run: Run) -> None:
    deferred(db)
    run("UPDATE procrastinate_jobs SET status = 'doing', attempts = 7")
    retry_stalled(db)
    assert run("SELECT scheduled_at > now() + interval '60 seconds' FROM procrastinate_jobs") == [(True,)]
    run("UPDATE procrastinate_jobs SET status = 'doing', attempts = 100")
    retry_stalled(db)
    assert run("SELECT status::text FROM procrastinate_jobs") == [("failed",)]


def test_two_workers_run_each_job_once(db: Database, work: Run, ran: list[Any]) -> None:
    for number in range(30):
        deferred(db, user_id=f"u-{number}")
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(ids["user_id"] for _, ids in ran) == sorted(f"u-{number}" for number in range(30))


def test_the_pauses_grow_to_an_hour_and_end_after_the_hours_given() -> None:
    assert [pause_seconds(attempts, 24) for attempts in (1, 2, 3, 9, 10)] == [10, 20, 40, 2560, 3600]
    assert pause_seconds(31, 24) == 3600
    assert pause_seconds(33, 24) is None
    assert pause_seconds(1, 0) is None


def test_the_deferred_job_is_written_by_the_service_role(db: Database) -> None:
    deferred(db)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.fetch_one("DROP TABLE procrastinate_jobs")


def test_sessions_that_ended_two_days_ago_are_deleted(
    app: Flask, sign_in: Run, register: Run, run: Run, client: Any
) -> None:
    register("alice")
    mine, ended, expired, lately = (sign_in("alice") for _ in range(4))
    for headers, change in (
        (ended, "ended_at = now() - interval '49 hours'"),
        (expired, "expires_at = now() - interval '49 hours'"),
        (lately, "ended_at = now() - interval '47 hours'"),
    ):
        sessions = client.get("/sessions", headers=headers).get_json()
        (current,) = (session["id"] for session in sessions if session["current"])
        run(f"UPDATE sessions SET {change} WHERE id = %(id)s", id=current)
    tasks_of_service.by_name["forget_ended_sessions"].function(app.services)  # type: ignore[attr-defined]
    assert run("SELECT count(*) FROM sessions") == [(2,)]
    assert run("SELECT count(*) FROM refresh_tokens") == [(2,)]
    assert client.get("/sessions", headers=mine).status_code == 200


def test_failed_jobs_are_deleted_after_a_month(app: Flask, db: Database, run: Run) -> None:
    for _ in range(3):
        deferred(db)
    run("UPDATE procrastinate_jobs SET status = 'failed' WHERE id < 3")
    run("UPDATE procrastinate_events SET at = now() - interval '31 days' WHERE job_id <> 2")
    tasks_of_service.by_name["forget_failed_jobs"].function(app.services)  # type: ignore[attr-defined]
    assert run("SELECT id, status::text FROM procrastinate_jobs ORDER BY id") == [(2, "failed"), (3, "todo")]


def test_the_frozen_schema_is_that_of_the_installed_procrastinate() -> None:
    installed = Path(str(files("procrastinate") / "sql/schema.sql")).read_text()
    assert FIRST.read_text().endswith(installed), "add a migration with the difference, then compare with its file"
