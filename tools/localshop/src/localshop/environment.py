"""The environment of the shop's processes: the caller's, without the variables that are meant for other programs."""

from __future__ import annotations

import os
from collections.abc import Mapping

FOREIGN = ("PG", "PYTHON", "PIP_", "UV_", "FLASK_", "VIRTUAL_ENV", "PROMETHEUS_", "prometheus_")
"""Prefixes of variables that change libpq's connections, Python's imports, Flask's errors, where metrics are kept."""


def own(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without foreign variables."""
    return {name: value for name, value in environment.items() if not name.startswith(FOREIGN)}


def drop_foreign_variables() -> None:
    """Remove foreign variables from this process's environment, where libpq reads them."""
    for name in os.environ.keys() - own(os.environ).keys():
        del os.environ[name]
