"""Named SQL statements."""

from __future__ import annotations

import re

_FIRST_LINE = re.compile(r"-- ([a-z_]+)\n")


class Statement(str):
    """A statement that writes. Its first line is a comment with its name: `-- place_order`.

    The name defines its failpoints and identifies it in traces and in PostgreSQL's views, without any value.
    """

    name: str

    def __new__(cls, sql: str) -> Statement:
        named = _FIRST_LINE.match(sql)
        if named is None:
            raise ValueError(f"the first line must be the statement's name, such as '-- place_order': {sql[:60]!r}")
        statement = super().__new__(cls, sql)
        statement.name = named[1]
        return statement
