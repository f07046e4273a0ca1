"""Count the SQL statements and the calls of own functions that a request takes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from werkzeug.test import create_environ

import chassis.db.database
from chassis.db.database import Database, DeadlineConnection
from chassis.http.openapi import Api

OWN_CODE = ("/chassis/", "/user_service/", "/order_service/")


class Effort(NamedTuple):
    """The status of a response and the number of calls of own functions that it took."""

    status: str
    calls: int


def effort(app: Api, requests: Iterable[dict[str, Any]]) -> Effort:
    """Return the smallest effort of these requests; the first ones may pay for cold caches."""
    return min((_effort(app, create_environ(**request)) for request in requests), key=lambda effort: effort.calls)


def _effort(app: Api, environ: dict[str, Any]) -> Effort:
    statuses: list[str] = []
    calls = 0

    def start_response(status: str, *_: Any) -> Any:
        statuses.append(status)

    def note(frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event == "call" and _is_own(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        response = app.wsgi_app(environ, start_response)
        b"".join(response)
        getattr(response, "close", dict)()
    finally:
        sys.setprofile(None)
    return Effort(statuses[0], calls)


def _is_own(file: str) -> bool:
    return (
        file.endswith(".py")
        and "site-packages" not in file
        and any(folder in Path(file).as_posix() for folder in OWN_CODE)
    )


@pytest.fixture
def count_statements() -> Callable[[Database], Any]:
    """Return a context manager that lists the SQL statements sent within it."""

    @contextmanager
    def counting(database: Database) -> Iterator[list[str]]:
        seen: list[str] = []

        class NotingCursor(psycopg.Cursor[Any]):
            def execute(self, query: Any, *rest: Any, **options: Any) -> Any:
                seen.append(str(query))
                return super().execute(query, *rest, **options)

        class Noting(DeadlineConnection):
            def __init__(self, *given: Any, **named: Any) -> None:
                super().__init__(*given, **named)
                self.cursor_factory = NotingCursor

        database.close()  # new connections use the class Noting
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(chassis.db.database, "DeadlineConnection", Noting)
            yield seen
        database.close()

    return counting
