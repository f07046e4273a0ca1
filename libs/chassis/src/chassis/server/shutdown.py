"""Tell all workers that shutdown has begun, and close their connections from then on.

The flag is one byte of memory that the server process shares with its workers: each response reads it, so reading it
must not cost a system call.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

FLAG_FILE = "B2C_SHUTDOWN_FILE"
_RUNNING, _BEGUN = b"\x00", b"\x01"


def prepare(flag: Path) -> None:
    """Create the flag; workers that start from now on read it."""
    flag.write_bytes(_RUNNING)
    os.environ[FLAG_FILE] = str(flag)


def begin(flag: Path) -> None:
    """Tell every worker that shutdown has begun."""
    with flag.open("r+b") as byte:
        byte.write(_BEGUN)


def watch() -> Callable[[], bool]:
    """Return a function that tells whether shutdown has begun; in a process without a flag it has not."""
    file = os.environ.get(FLAG_FILE)
    if not file:
        return lambda: False
    with Path(file).open("rb") as byte:
        memory = mmap.mmap(byte.fileno(), 1, access=mmap.ACCESS_READ)
    return lambda: memory[:1] == _BEGUN


def close_connections(app: Application) -> Application:
    """Wrap the application: after shutdown has begun, each response carries `Connection: close`."""
    has_begun = watch()

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return app(environ, _closing(start_response) if has_begun() else start_response)

    return wrapped


def _closing(start_response: Any) -> Any:
    def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
        return start_response(status, [*headers, ("Connection", "close")], *failure)

    return start
