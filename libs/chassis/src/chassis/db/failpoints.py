"""Exit at a named statement, to test that a crash there loses nothing.

FAILPOINTS names a folder; a file named after a failpoint (`place_order.before`, `place_order.after`) arms it for one
crash. Failpoints work only with APP_ENV=local and FAILPOINTS set at start.
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
    """Exit without cleanup if this failpoint is armed."""
    if _FOLDER is not None:
        with suppress(FileNotFoundError):
            Path(_FOLDER, point).unlink()
            os._exit(CRASHED)


class FailpointCursor(psycopg.Cursor[Any]):
    """A cursor with a failpoint before and after each Statement."""

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
