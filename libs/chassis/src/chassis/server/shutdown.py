"""Whether shutdown has begun: one byte of memory that the server process shares with its workers.

Every answer looks at it, so it must cost no system call.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

DRAIN_FILE = "B2C_DRAIN_FILE"
_NOT_YET, _BEGUN = b"\x00", b"\x01"


def prepare(file: Path) -> None:
    """Make the byte, and let the workers that are started from now on look at it."""
    file.write_bytes(_NOT_YET)
    os.environ[DRAIN_FILE] = str(file)


def begin(file: Path) -> None:
    """Tell every worker that shutdown has begun."""
    with file.open("r+b") as byte:
        byte.write(_BEGUN)


def watch() -> Callable[[], bool]:
    """Return what tells whether shutdown has begun: never, in a process that no server prepared."""
    file = os.environ.get(DRAIN_FILE)
    if not file:
        return lambda: False
    with Path(file).open("rb") as byte:
        memory = mmap.mmap(byte.fileno(), 1, access=mmap.ACCESS_READ)
    return lambda: memory[:1] == _BEGUN
