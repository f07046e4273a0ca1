"""kill -9 of a job worker at each step: no job is lost, and none stays unfinished."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from chaos.environment import Environment
from localshop.service import Service
from localshop.signals import pause
from localshop.testing import free_ports

TASK = "forget_failed_jobs"
DEFER = """
INSERT INTO procrastinate_jobs (queue_name, task_name)
SELECT %(task)s, %(task)s FROM generate_series(1, %(jobs)s)
"""
LEFT = """
SELECT count(*), count(*) FILTER (WHERE status = 'failed') FROM procrastinate_jobs
WHERE task_name = 'forget_failed_jobs'
"""  # the periodic jobs come and go
RUNNING = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
POINTS = [f"{TASK}.fetched", f"{TASK}.done", "retry_stalled_job.before", "retry_stalled_job.after"]


@pytest.fixture
def worker(environment: Environment) -> Iterator[Service]:
    (port,) = free_ports(1)
    worker = environment.shop.order.job_worker(port)
    worker.start()
    yield worker
    worker.stop()


def defer(worker: Service, jobs: int) -> None:
    with psycopg.connect(worker.database_url, autocommit=True) as connection:
        connection.execute(DEFER, {"task": TASK, "jobs": jobs})


def ask(worker: Service, question: str) -> tuple[int, ...]:
    with psycopg.connect(worker.database_url) as connection:
        return tuple(connection.execute(question.encode()).fetchone() or ())


def finish(worker: Service) -> None:
    """Start the worker again whenever it has ended, until no job is left."""
    while ask(worker, LEFT) != (0, 0):
        if not worker.running:
            worker.start()
        pause(0.2)


@pytest.mark.budget(120)
@pytest.mark.parametrize("point", POINTS)
def test_a_job_is_finished_after_a_crash_at(point: str, environment: Environment, worker: Service) -> None:
    armed = environment.arm(point)
    if point.startswith("retry"):  # a job that a dead worker left
        worker.freeze()
        defer(worker, 1)
        with psycopg.connect(worker.database_url, autocommit=True) as connection:
            connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        worker.thaw()
    else:
        defer(worker, 1)
    while armed.exists():
        pause(0.1)
    assert worker.wait(10) == 86
    finish(worker)


@pytest.mark.budget(180)
def test_200_jobs_are_finished_although_their_worker_is_killed(environment: Environment, worker: Service) -> None:
    defer(worker, 200)
    for _ in range(5):
        while ask(worker, RUNNING) == (0,) and ask(worker, LEFT) != (0, 0):
            pause(0.01)
        worker.kill()
        worker.start()
    finish(worker)


@pytest.mark.budget(120)
def test_job_runs_after_the_database_was_killed(environment: Environment, worker: Service) -> None:
    assert environment.shop.postgres
    environment.shop.postgres.kill()
    environment.tend(2)
    defer(worker, 20)
    finish(worker)
