"""Run the background jobs of a service: `python -m order_service work`.

On SIGTERM or SIGINT the worker takes no further job, finishes those that it runs, and exits. A job that takes longer
than SHUTDOWN_TIMEOUT_SECONDS is run again by another worker.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic

from procrastinate.worker import Worker
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings

from chassis.context import Services
from chassis.jobs.queue import Queue, procrastinate_app, retry_stalled
from chassis.jobs.tasks import Tasks
from chassis.server.health import schema_check
from chassis.server.probes import Probes, serve
from chassis.telemetry import logging as json_lines

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RESTART_SECONDS = 1.0
STALLED_EVERY_SECONDS = 10.0
STUCK_SECONDS = 60.0
"""A worker that has not asked the database for this long, not even in vain, is stuck: it asks every ten seconds."""


class WorkerSettings(BaseSettings):
    host: str = "0.0.0.0"  # noqa: S104 - in a container the network policy decides who may connect
    port: int = Field(ge=0, le=65_535)
    worker_threads: int = Field(default=4, ge=1, le=64)
    shutdown_timeout_seconds: int = Field(default=20, ge=1, le=300)


class JobWorker:
    """Fetch and run jobs until asked to stop; start over when the database fails."""

    def __init__(self, services: Services, tasks: Tasks, settings: WorkerSettings) -> None:
        self.queue = Queue(services.database)
        self.stopping = False
        self._database = services.database
        self._settings = settings
        self._names = sorted(tasks.by_name)
        self._app = procrastinate_app(self.queue, tasks, services)
        self._current: Worker | None = None

    @property
    def stuck(self) -> bool:
        return monotonic() - self.queue.asked_at > STUCK_SECONDS

    @property
    def connected(self) -> bool:
        return monotonic() - self.queue.answered_at < STUCK_SECONDS / 2

    async def run(self) -> None:
        """Run jobs until `stop`."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self._settings.worker_threads, "job"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        stalled = asyncio.create_task(self._retry_stalled())
        while not self.stopping:
            await self._run_until_failure()
        stalled.cancel()

    def stop(self) -> None:
        """Take no further job; exit after the running ones, or without them at the end of the grace period."""
        self.stopping = True
        if self._current:
            self._current.stop()
        timer = threading.Timer(self._settings.shutdown_timeout_seconds, _leave_jobs_behind)
        timer.daemon = True
        timer.start()

    async def _run_until_failure(self) -> None:
        self._current = worker = Worker(
            self._app,
            queues=self._names,
            concurrency=self._settings.worker_threads,
            fetch_job_polling_interval=POLL_SECONDS,
            listen_notify=False,
            delete_jobs="successful",
            install_signal_handlers=False,
        )
        self.queue.on_failure = worker.stop
        try:
            await worker.run()
        except Exception as failure:
            log.warning("job_worker_restarts", extra={"failure": type(failure).__name__})
        if not self.stopping:
            await asyncio.sleep(RESTART_SECONDS)

    async def _retry_stalled(self) -> None:
        while True:
            with suppress(Exception):  # the database is away; the worker's own queries log it
                await asyncio.to_thread(retry_stalled, self._database)
            await asyncio.sleep(STALLED_EVERY_SECONDS)


def _leave_jobs_behind() -> None:
    log.warning("job_worker_left_jobs", extra={"hint": "another worker runs them again"})
    logging.shutdown()
    os._exit(0)


def work(connect: Callable[[], Services], tasks: Tasks, scripts: Path) -> None:
    """Run a worker in this process until SIGTERM or SIGINT; `scripts` are the migrations that it needs."""
    try:
        settings = WorkerSettings()
    except ValidationError as failure:
        sys.exit("\n".join(f"{'_'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in failure.errors()))
    services = connect()
    general = services.settings
    json_lines.configure(general.service, general.app_env, general.log_level)
    logging.getLogger("procrastinate").setLevel(logging.ERROR)  # it logs several lines for each job
    worker = JobWorker(services, tasks, settings)
    probes = Probes(services.database, worker, schema_check(services.database, scripts), sorted(tasks.by_name))
    address = serve(probes, settings.host, settings.port)
    log.info("job_worker_started", extra={"address": address, "tasks": sorted(tasks.by_name)})
    asyncio.run(worker.run())
    services.close()
    log.info("job_worker_stopped")
