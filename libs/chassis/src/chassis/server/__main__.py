"""Serve `app:app` of the working directory with granian: `python -m chassis.server`.

On SIGTERM or SIGINT /readyz turns 503 at once and each response closes its connection. The server goes on for
DRAIN_SECONDS, so that load balancers can choose another server; then it closes its listening socket, finishes the
requests in flight, and exits.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import Any, Literal

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings

from chassis.server import shutdown, worker
from chassis.server.slots import SPARE_THREADS
from chassis.settings import THREADS
from chassis.telemetry.logging import configuration


class ServerSettings(BaseSettings):
    host: str = "0.0.0.0"  # noqa: S104 - in a container the network policy decides who may connect
    port: int = Field(ge=1, le=65_535)
    workers: int = Field(default=1, ge=1, le=64)
    threads: int = Field(default=THREADS, ge=1, le=64)
    drain_seconds: float = Field(default=0, ge=0, le=300)
    shutdown_timeout_seconds: int = Field(default=20, ge=1, le=300)
    app_env: str = "local"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    service_name: str = Field(default_factory=lambda: Path.cwd().name)  # images set it: there each folder is /app


BACKPRESSURE = 2048
"""Connections per worker: more than any load balancer keeps alive. At this number the server stops accepting."""


def listening_address(host: str, port: int) -> str:
    """Return the IP address of a host name or of an address in brackets; exit when nothing can listen there."""
    try:
        family, _, _, _, (address, *_) = min(socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM))
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as the server's own socket does
            probe.bind((address, port))
    except (OSError, UnicodeError) as failure:
        sys.exit(f"HOST, PORT: cannot listen on {host!r}, port {port}: {getattr(failure, 'strerror', None) or failure}")
    return str(address)


def server(settings: ServerSettings) -> MPServer:
    return MPServer(
        "app:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        http=HTTPModes.http1,
        blocking_threads=settings.threads + SPARE_THREADS,
        backpressure=BACKPRESSURE,
        respawn_failed_workers=True,
        workers_kill_timeout=settings.shutdown_timeout_seconds,
        log_level=LogLevels(settings.log_level.lower()),
        log_dictconfig=configuration(settings.service_name, settings.app_env, settings.log_level),
    )


def stop_on_signal(granian: MPServer, flag: Path, seconds: float) -> None:
    """On SIGTERM or SIGINT begin the shutdown, serve for `seconds` more, then stop."""

    def begin(*_: Any) -> None:
        shutdown.begin(flag)
        signal.signal(signal.SIGINT, granian.signal_handler_interrupt)  # a second Ctrl-C stops at once
        threading.Timer(seconds, granian.signal_handler_interrupt).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, begin)


def main() -> None:
    try:
        settings = ServerSettings()
    except ValidationError as failure:
        sys.exit("\n".join(f"{'_'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in failure.errors()))
    settings.host = listening_address(settings.host, settings.port)
    with tempfile.TemporaryDirectory(prefix="chassis-") as scratch:
        flag = Path(scratch, "shutdown")
        shutdown.prepare(flag)
        # One malloc arena for all threads keeps less memory than one per thread. Workers read this at their start.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = scratch
        # This process has imported the metrics library before the variable was set. A forked worker would inherit
        # that state; a spawned one imports the library again.
        multiprocessing.set_start_method("spawn")
        granian = server(settings)
        granian.on_startup(lambda: stop_on_signal(granian, flag, settings.drain_seconds))
        granian.serve(target_loader=partial(worker.load, slots=settings.threads))


if __name__ == "__main__":
    main()
