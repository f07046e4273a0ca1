"""Helpers to run a separate shop for tests and measurements."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localshop.preflight import free_ports

__all__ = ["free_ports", "fresh_folder"]


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """Yield a new data folder's short path, accessible to PostgreSQL's account; delete it afterwards."""
    parent = Path(tempfile.mkdtemp(prefix="test-shop-"))
    try:
        yield parent / "data"
    finally:
        shutil.rmtree(parent)
