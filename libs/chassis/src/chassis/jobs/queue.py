"""Run procrastinate on the service's own database connections."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import procrastinate
from procrastinate.connector import BaseAsyncConnector
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.sync_psycopg_connector import wrap_exceptions

from chassis.context import RequestContext, Services, set_context
from chassis.db import failpoints
from chassis.db.database import Database, Row
from chassis.db.pool import PoolTimeout
from chassis.db.statement import Statement
from chassis.jobs.tasks import Permanent, Task, Tasks, pause_seconds
from chassis.problems import Unavailable
from chassis.telemetry.metrics import JOB_RUNS

log = logging.getLogger(__name__)

STALLED_SECONDS = 30
"""A worker without a heartbeat for this time is dead; it sends one every ten seconds."""
MOST_ATTEMPTS = 100
KEPT_DAYS = 30

# One job at a time: a second one with the same queueing lock then finds the first one waiting, and is cancelled. The
# worker's row is gone when it left without finishing the job.
RETRY_STALLED = Statement("""-- retry_stalled_job
UPDATE procrastinate_jobs AS job
SET worker_id = NULL, attempts = attempts + 1,
    scheduled_at = now() + make_interval(secs => least(attempts * 10, 3600)),
    status = CASE
    WHEN attempts >= %(most_attempts)s THEN 'failed'
    WHEN EXISTS (
        SELECT FROM procrastinate_jobs AS waiting
        WHERE waiting.status = 'todo' AND waiting.queueing_lock = job.queueing_lock
    ) THEN 'cancelled'
    ELSE 'todo' END::procrastinate_job_status
WHERE id = (
    SELECT stalled.id FROM procrastinate_jobs AS stalled
    LEFT JOIN procrastinate_workers AS worker ON worker.id = stalled.worker_id
    WHERE status = 'doing'
        AND (worker.id IS NULL OR last_heartbeat < now() - make_interval(secs => %(stalled_seconds)s))
    ORDER BY stalled.id LIMIT 1 FOR UPDATE OF stalled SKIP LOCKED
)
RETURNING id, task_name, status
""")
# Successful jobs are deleted at once; the others are kept for people to read.
FORGET_FAILED = Statement("""-- forget_failed_jobs
DELETE FROM procrastinate_jobs
WHERE status IN ('failed', 'cancelled', 'aborted') AND NOT EXISTS (
    SELECT FROM procrastinate_events
    WHERE job_id = procrastinate_jobs.id AND at > now() - make_interval(days => %(kept_days)s)
)
RETURNING id
""")


class Queue(BaseAsyncConnector):
    """procrastinate's queries, on the connections of a Database.

    After a query that failed, nobody knows the state of the worker's jobs: `on_failure` is to start a new worker.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._threads = ThreadPoolExecutor(2, "queue")  # of its own: tasks may occupy all others
        self.asked_at = self.answered_at = monotonic()
        self.on_failure: Callable[[], None] = lambda: None

    async def open_async(self, pool: Any = None) -> None:
        """Open nothing: the Database connects on first use."""

    async def close_async(self) -> None:
        """Close nothing: the services own the Database."""

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        await self._run(query, arguments)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        rows = await self._run(query, arguments)
        return dict(rows[0]._asdict())

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        return [dict(row._asdict()) for row in await self._run(query, arguments)]

    async def _run(self, query: Any, arguments: dict[str, Any]) -> Sequence[Row]:
        self.asked_at = monotonic()
        fetch = asyncio.get_running_loop().run_in_executor(self._threads, self._fetch, query, arguments)
        try:
            rows = await fetch
        except UniqueViolation:  # a periodic job is deferred already
            raise
        except ConnectorException as failure:
            log.warning("job_queue_failed", extra={"failure": str(failure.__cause__)})
            self.on_failure()
            raise
        self.answered_at = monotonic()
        return rows

    def _fetch(self, query: Any, arguments: dict[str, Any]) -> Sequence[Row]:
        try:
            with wrap_exceptions():
                return self._database.fetch_all(query, arguments)
        except (PoolTimeout, Unavailable) as failure:
            raise ConnectorException from failure


class Backoff(BaseRetryStrategy):
    """Retry after growing pauses, for some hours; never after a Permanent failure."""

    def __init__(self, retry_hours: float) -> None:
        self._retry_hours = retry_hours

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        seconds = pause_seconds(job.attempts + 1, self._retry_hours)
        if isinstance(exception, Permanent) or seconds is None:
            return None
        return RetryDecision(retry_in={"seconds": int(seconds * random.uniform(1, 1.2))})  # noqa: S311 - jitter


def procrastinate_app(queue: Queue, tasks: Tasks, services: Services) -> procrastinate.App:
    """Return procrastinate's application with the tasks of a service."""
    app = procrastinate.App(connector=queue)
    for task in tasks.by_name.values():
        lock = task.name if task.cron else None  # one run of a periodic task waits, not many
        register: Any = app.task(
            name=task.name, queue=task.name, queueing_lock=lock, retry=Backoff(task.retry_hours), pass_context=True
        )
        registered = register(_runner(task, services))
        if task.cron:
            app.periodic(cron=task.cron)(registered)
    return app


def _runner(task: Task, services: Services) -> Callable[..., None]:
    """Return the function that procrastinate calls for a job."""

    def run(context: procrastinate.JobContext, timestamp: int = 0, **ids: Any) -> None:  # noqa: ARG001
        set_context(RequestContext(request_id=f"job-{context.job.id}"))
        failpoints.reach(f"{task.name}.fetched")
        try:
            task.function(services, **ids)
        except Exception as failure:
            JOB_RUNS.labels(task.name, "failed").inc()
            log.warning("job_failed", extra={"task": task.name, "failure": type(failure).__name__})
            raise
        failpoints.reach(f"{task.name}.done")
        JOB_RUNS.labels(task.name, "succeeded").inc()
        log.info("job_done", extra={"task": task.name})

    return run


def retry_stalled(database: Database) -> None:
    """Let the jobs of dead workers run again, after growing pauses: a job may be what ends them."""
    limits = {"stalled_seconds": STALLED_SECONDS, "most_attempts": MOST_ATTEMPTS}
    while row := database.fetch_one(RETRY_STALLED, limits):
        log.warning("job_stalled", extra={"task": row.task_name, "job": row.id, "status": row.status})


def forget_failed(database: Database) -> None:
    """Delete the jobs that failed a month ago."""
    database.fetch_all(FORGET_FAILED, {"kept_days": KEPT_DAYS})
