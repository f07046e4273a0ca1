"""Load the application in a worker process; it cannot import functions of `__main__`."""

from __future__ import annotations

import atexit
import logging
import os
import sys
from pathlib import Path

from werkzeug.utils import import_string

from chassis.server.shutdown import Application, close_connections
from chassis.server.slots import limit_requests

log = logging.getLogger(__name__)

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
METRIC_FILES = {"counter": 65_536, "gauge_livesum": 65_536, "gauge_livemin": 65_536, "histogram": 1_048_576}
"""Bytes by kind: enough for every label that occurs."""


def load(target: str, *, slots: int) -> Application:
    atexit.register(_end_process)
    reserve_metric_files()
    sys.path.insert(0, str(Path.cwd()))  # PYTHONSAFEPATH omits it, and each service has a module named app
    return close_connections(limit_requests(import_string(target), slots))


def reserve_metric_files() -> None:
    """Allocate this worker's metric files before the metrics library maps them into memory.

    It makes sparse files. Writing to one on a full disk would end the process with SIGBUS. Without room now, the
    worker keeps its metrics to itself.
    """
    try:
        for kind, size in METRIC_FILES.items():
            with Path(os.environ[METRICS_FOLDER], f"{kind}_{os.getpid()}.db").open("wb") as file:
                _allocate(file.fileno(), size)
    except OSError as failure:
        log.warning("metrics_not_shared", extra={"failure": str(failure)})
        del os.environ[METRICS_FOLDER]


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # macOS has none
        os.posix_fallocate(descriptor, 0, size)


def _end_process() -> None:
    """End the worker without finalizing Python.

    The server does not wait for requests whose clients have left. Finalizing Python under their threads aborts the
    process; without it they end with the process.
    """
    logging.shutdown()  # would run after this function
    os._exit(0)
