"""Tell all workers that shutdown has begun, and close connections after each response from then on.

The flag is one byte of a memory-mapped file, because every response reads it and a system call would cost too much.
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
    """Create the flag for the workers that start later."""
    flag.write_bytes(_RUNNING)
    os.environ[FLAG_FILE] = str(flag)


def begin(flag: Path) -> None:
    """Set the flag."""
    with flag.open("r+b") as byte:
        byte.write(_BEGUN)


def watch() -> Callable[[], bool]:
    """Return a function that tells whether shutdown has begun; without a flag it returns False."""
    file = os.environ.get(FLAG_FILE)
    if not file:
        return lambda: False
    with Path(file).open("rb") as byte:
        memory = mmap.mmap(byte.fileno(), 1, access=mmap.ACCESS_READ)
    return lambda: memory[:1] == _BEGUN


def close_connections(app: Application) -> Application:
    """Wrap the application: during shutdown each response carries `Connection: close`."""
    has_begun = watch()

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return app(environ, _closing(start_response) if has_begun() else start_response)

    return wrapped


def _closing(start_response: Any) -> Any:
    def start(status: str, headers: list[tuple[str, str]], *failure: Any) -> Any:
        return start_response(status, [*headers, ("Connection", "close")], *failure)

    return start
