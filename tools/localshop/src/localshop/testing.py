"""Helpers to run a separate shop for tests and measurements."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """Yield a new data folder's short path, accessible to PostgreSQL's account; delete it afterwards."""
    parent = Path(tempfile.mkdtemp(prefix="test-shop-"))
    try:
        yield parent / "data"
    finally:
        shutil.rmtree(parent)


def free_ports(count: int = 2) -> tuple[int, ...]:
    """Return free ports."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return tuple(server.getsockname()[1] for server in servers)
