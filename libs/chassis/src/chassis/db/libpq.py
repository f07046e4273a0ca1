"""Keep the environment from changing connections: libpq reads many variables beside the URL."""

from __future__ import annotations

import os

_KEPT = ("PGPASS", "PGSSL")
"""Passwords and TLS: what an operator may want to keep out of the URL."""


def ignore_environment() -> None:
    """Remove libpq's variables from this process's environment, except those of passwords and TLS.

    Most could be overruled by the URL, but not `PGSERVICE`, `PGHOSTADDR`, `PGTZ` and `PGDATESTYLE`.
    """
    for name in [name for name in os.environ if name.startswith("PG") and not name.startswith(_KEPT)]:
        del os.environ[name]
