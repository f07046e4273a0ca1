"""Load the application in a worker process; it cannot import functions of `__main__`."""

from __future__ import annotations

import sys
from pathlib import Path

from werkzeug.utils import import_string

from chassis.server.shutdown import Application, close_connections
from chassis.server.slots import limit_requests


def load(target: str, *, slots: int) -> Application:
    sys.path.insert(0, str(Path.cwd()))  # PYTHONSAFEPATH omits it, and each service has a module named app
    return close_connections(limit_requests(import_string(target), slots))
