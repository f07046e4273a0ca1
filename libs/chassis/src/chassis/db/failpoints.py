"""Crash before or after a named statement, to prove that a crash there loses nothing.

FAILPOINTS names a folder; a file there arms the point of its name (`place_order.before`, `place_order.after`) for one
crash. Only a local process looks, and only one that was started with FAILPOINTS.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psycopg

from chassis.db.statement import Statement

CRASHED = 86
_FOLDER = os.environ.get("FAILPOINTS") if os.environ.get("APP_ENV", "local") == "local" else None


def reach(point: str) -> None:
    """Exit without any cleanup if a test has armed this point."""
    if _FOLDER is not None:
        with suppress(FileNotFoundError):
            Path(_FOLDER, point).unlink()
            os._exit(CRASHED)


class FailpointCursor(psycopg.Cursor[Any]):
    """A cursor on which each Statement has a point before and after it."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        name = query.name if isinstance(query, Statement) else None
        if name:
            reach(f"{name}.before")
        super().execute(query, params, **options)
        if name:
            reach(f"{name}.after")
        return self


CURSOR = FailpointCursor if _FOLDER is not None else None
"""The class of cursors of a process with failpoints; None: psycopg's own."""
