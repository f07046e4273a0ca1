"""Load the application in a worker process; it cannot import functions of `__main__`."""

from __future__ import annotations

import atexit
import logging
import os

from werkzeug.utils import import_string

from chassis.server.shutdown import Application, close_connections
from chassis.server.slots import limit_requests


def load(target: str, *, slots: int) -> Application:
    atexit.register(_end_process)
    return close_connections(limit_requests(import_string(target), slots))


def _end_process() -> None:
    """End the worker without finalizing Python.

    The server does not wait for requests whose clients have left. Finalizing Python under their threads aborts the
    process; without it they end with the process.
    """
    logging.shutdown()  # would run after this function
    os._exit(0)
