"""Serve /healthz, /readyz and /metrics of a job worker, in a thread."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

import psycopg
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest

from chassis.db.database import Database
from chassis.db.pool import PoolTimeout
from chassis.problems import Unavailable

WAITING = Gauge("jobs_waiting", "Jobs that wait for a worker or for their time.", ["task"])
OLDEST_SECONDS = Gauge("jobs_oldest_seconds", "How long the oldest job that could run has waited.", ["task"])
FAILED = Gauge("jobs_failed", "Jobs that failed for good within the last month.", ["task"])

# Jobs run in the order of their ids, so the job with the lowest id has waited longest; only its event is read.
COUNTS = """
WITH counts AS (
    SELECT queue_name AS task,
        count(*) FILTER (WHERE status = 'todo') AS waiting,
        count(*) FILTER (WHERE status = 'failed') AS failed,
        min(id) FILTER (WHERE status = 'todo' AND scheduled_at IS NULL) AS first_id,
        min(scheduled_at) FILTER (WHERE status = 'todo') AS first_time
    FROM procrastinate_jobs GROUP BY queue_name
)
SELECT task, waiting, failed, greatest(0, extract(epoch FROM now() - least(first_time, (
    SELECT min(at) FROM procrastinate_events WHERE job_id = first_id AND type = 'deferred'
)))) AS oldest FROM counts
"""


class State(Protocol):
    """What the probes ask of a worker."""

    stopping: bool

    @property
    def stuck(self) -> bool: ...
    @property
    def connected(self) -> bool: ...


class Probes:
    """Answer the probes of one worker."""

    def __init__(self, database: Database, worker: State, check: Callable[[], str], tasks: Sequence[str]) -> None:
        self._database = database
        self._worker = worker
        self._check = check
        self._tasks = tasks

    def healthz(self) -> tuple[int, str, str]:
        """Answer without the database whether the worker still asks for jobs."""
        alive = not self._worker.stuck
        return _json(alive, status="ok" if alive else "stuck")

    def readyz(self) -> tuple[int, str, str]:
        """Answer whether the worker can fetch jobs: the database answers, the schema fits, shutdown has not begun."""
        checks = {"database": self._check(), "queue": "ok" if self._worker.connected else "has not answered lately"}
        if self._worker.stopping:
            checks["shutdown"] = "begun"
        ready = all(result == "ok" for result in checks.values())
        return _json(ready, status="ready" if ready else "not ready", checks=checks)

    def metrics(self) -> tuple[int, str, str]:
        """Return the metrics; without the database, those of the queue are absent."""
        self._count_jobs()
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(REGISTRY).decode()

    def _count_jobs(self) -> None:
        for gauge in (WAITING, OLDEST_SECONDS, FAILED):
            gauge.clear()
        try:
            rows = {row.task: row for row in self._database.fetch_all(COUNTS)}
        except (psycopg.Error, PoolTimeout, Unavailable):
            return
        for task in {*self._tasks, *rows}:
            row = rows.get(task)
            WAITING.labels(task).set(row.waiting if row else 0)
            OLDEST_SECONDS.labels(task).set(row.oldest or 0 if row else 0)
            FAILED.labels(task).set(row.failed if row else 0)


def _json(passed: bool, **members: object) -> tuple[int, str, str]:
    status = HTTPStatus.OK if passed else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(members)


def serve(probes: Probes, host: str, port: int) -> str:
    """Serve the probes in a daemon thread; return the address."""
    answers = {"/healthz": probes.healthz, "/readyz": probes.readyz, "/metrics": probes.metrics}

    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            status, kind, text = answer() if answer else (HTTPStatus.NOT_FOUND, "text/plain", "not found")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Log no probe."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as failure:
        sys.exit(f"HOST, PORT: cannot listen on {host!r}, port {port}: {failure.strerror}")
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    return f"{server.server_address[0]!s}:{server.server_port}"
