"""Every writing statement is a failpoint, and `make chaos` reaches each one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from chaos.failpoints import (
    AFTER_A_RESTORE,
    IN_JOBS,
    JOBS_TOGETHER,
    OF_THE_TEST_PROVIDER,
    READING,
    STATEMENTS,
    TOGETHER,
)

ROOT = Path(__file__).parents[2]
CHANGES = re.compile(r"\b(INSERT INTO|DELETE FROM|MERGE INTO|UPDATE \w+\s+SET|TRUNCATE)\b")
A_COMMAND_NOT_A_REQUEST = {"importer.py", "indexing.py", "roles.py", "stock.py"}  # what an operator can repeat
SHARED = "_BODY"  # the part that several statements with names of their own have in common
NAME = re.compile(r"-- ([a-z_]+)\n")


def trees() -> Iterator[ast.AST]:
    for file in sorted((ROOT / "services").glob("*/*_service/**/*.py")):
        if file.name not in A_COMMAND_NOT_A_REQUEST:
            yield ast.parse(file.read_text())


def texts() -> Iterator[str]:
    """Yield every string in the services, and the constant parts of f-strings."""
    for tree in trees():
        joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        parts = [[part for part in node.values if isinstance(part, ast.Constant)] for node in joined]
        yield from ("".join(str(part.value) for part in constants) for constants in parts)
        shared = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == SHARED
        ]
        plain = {node for node in ast.walk(tree) if isinstance(node, ast.Constant)} - set(chain(*parts)) - {*shared}
        yield from (node.value for node in plain if isinstance(node.value, str))


def test_every_changing_statement_is_a_failpoint_of_the_chaos_suite() -> None:
    written = list(texts())
    unnamed = [text[:80] for text in written if CHANGES.search(text) and not NAME.match(text)]
    named = {found[1] for text in written if (found := NAME.match(text))}
    assert (unnamed, named) == ([], STATEMENTS | AFTER_A_RESTORE | IN_JOBS | OF_THE_TEST_PROVIDER)


def test_every_transaction_is_a_failpoint_of_the_chaos_suite() -> None:
    calls = [node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    opened = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "transaction"]
    names = [argument.value for call in opened for argument in call.args if isinstance(argument, ast.Constant)]
    assert len(names) == len(opened)
    assert sorted(map(str, names)) == sorted({*TOGETHER, *JOBS_TOGETHER, *READING, "open_test_page"})
