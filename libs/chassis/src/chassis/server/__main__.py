"""Serve `app:app` of the working directory with granian: `python -m chassis.server`.

SIGTERM and SIGINT: /readyz turns 503 at once and every answer asks its client to reconnect elsewhere; requests are
served for DRAIN_SECONDS more so that load balancers can look away; then the listening socket closes, what is in
flight is finished, and the process ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Literal

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings
from werkzeug.utils import import_string

from chassis.server import shutdown as drain
from chassis.settings import THREADS
from chassis.telemetry.logging import configuration


class ServerSettings(BaseSettings):
    host: str = "0.0.0.0"  # noqa: S104 - in a container the network policy decides who may connect
    port: int = Field(ge=1, le=65_535)
    workers: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=THREADS, ge=1, le=64)
    drain_seconds: float = Field(default=0, ge=0, le=300)
    request_timeout_seconds: float = Field(default=30, ge=10, le=3600)  # above what an answer may take
    shutdown_timeout_seconds: int = Field(default=20, ge=1, le=300)
    app_env: str = "local"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    service_name: str = Field(default_factory=lambda: Path.cwd().name)  # in an image every service lies in /app


# More than the keep-alive connections of any load balancer in front: below their number, accepting stalls.
BACKPRESSURE = 2048


def server(settings: ServerSettings) -> MPServer:
    return MPServer(
        "app:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backpressure=BACKPRESSURE,
        respawn_failed_workers=True,
        workers_kill_timeout=settings.shutdown_timeout_seconds,
        log_level=LogLevels(settings.log_level.lower()),
        log_dictconfig=configuration(settings.service_name, settings.app_env, settings.log_level),
    )


def load(target: str) -> Any:
    """Load the application in a worker process."""
    return import_string(target)


def drain_on_signal(granian: MPServer, drain_file: Path, seconds: float) -> None:
    """Say that shutdown has begun, keep serving for `seconds`, then stop."""

    def begin(*_: Any) -> None:
        drain.begin(drain_file)
        signal.signal(signal.SIGINT, granian.signal_handler_interrupt)  # a second Ctrl-C does not wait
        threading.Timer(seconds, granian.signal_handler_interrupt).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, begin)


def main() -> None:
    try:
        settings = ServerSettings()
    except ValidationError as failure:
        sys.exit("\n".join(f"{'_'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in failure.errors()))
    with tempfile.TemporaryDirectory(prefix="chassis-") as scratch:
        drain_file = Path(scratch, "draining")
        drain.prepare(drain_file)
        # One arena of memory for all threads: each of its own would keep a remainder. Workers read this as they start.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = scratch
        # The metrics library reads that when it is first imported, which in this process it has been already:
        # a forked worker would inherit the metrics of a single process.
        multiprocessing.set_start_method("spawn")
        granian = server(settings)
        granian.on_startup(lambda: drain_on_signal(granian, drain_file, settings.drain_seconds))
        granian.serve(target_loader=load)


if __name__ == "__main__":
    main()
