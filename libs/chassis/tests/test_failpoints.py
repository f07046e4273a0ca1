from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from chassis.db.failpoints import CRASHED
from chassis.db.statement import Statement
from chassis.settings import Settings

PROGRAM = """
import sys
from chassis.db.database import Database
from chassis.db.statement import Statement
with Database(sys.argv[1]).transaction("add") as connection:
    connection.execute("CREATE TABLE made ()")
    connection.execute(Statement("-- insert\\nINSERT INTO made DEFAULT VALUES"))
"""


def run(url: str, **environment: str) -> tuple[int, int]:
    """Run the program; return its exit code and the number of stored rows."""
    code = subprocess.run([sys.executable, "-c", PROGRAM, url], env=environment, check=False).returncode
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass('made')").fetchone() == (None,):
            return code, 0
        rows = len(connection.execute("SELECT FROM made").fetchall())
        connection.execute("DROP TABLE made")
    return code, rows


@pytest.mark.parametrize(
    ("env", "armed", "outcome"),
    [
        ("local", "insert.before", (CRASHED, 0)),
        ("local", "insert.after", (CRASHED, 0)),
        ("local", "add.committed", (CRASHED, 1)),
        ("local", "elsewhere.before", (0, 1)),
        ("prod", "insert.before", (0, 1)),
    ],
)
def test_only_a_local_process_crashes_at_the_armed_point(
    tmp_path: Path, settings: Settings, env: str, armed: str, outcome: tuple[int, int]
) -> None:
    (tmp_path / armed).touch()
    assert run(settings.database_url, FAILPOINTS=str(tmp_path), APP_ENV=env) == outcome


def test_an_armed_point_crashes_once(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "insert.before").touch()
    runs = [run(settings.database_url, FAILPOINTS=str(tmp_path)) for _ in range(2)]
    assert runs == [(CRASHED, 0), (0, 1)]


def test_a_statement_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="first line must be the statement's name"):
        Statement("INSERT INTO made DEFAULT VALUES")
