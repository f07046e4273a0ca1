"""Check ports, data folder and databases before the shop starts."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import psycopg

from localshop import Trouble

OWN_DATABASES = ("USER_DATABASE_URL", "ORDER_DATABASE_URL")


@contextmanager
def claimed(data: Path) -> Iterator[None]:
    """Lock the data folder for this process; the kernel releases the lock even after SIGKILL."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as failure:
        raise Trouble(f"{data} cannot be the data folder: {failure.strerror}; move it away") from None
    try:
        _lock(descriptor, data)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, data: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Trouble(f"the shop is running already with its data in {data}: stop it first, with Ctrl-C") from None
    if not os.access(data, os.W_OK | os.X_OK):
        raise Trouble(f"{data} belongs to another user and cannot be written to: run as that user, or delete it")


def erase(data: Path) -> None:
    """Delete the data folder, or a file of that name."""
    try:
        if data.is_dir() and not data.is_symlink():
            shutil.rmtree(data)
        else:
            data.unlink(missing_ok=True)
    except OSError as failure:
        raise Trouble(f"cannot delete {failure.filename or data}: {failure.strerror or failure}") from None


def free_ports(count: int = 2) -> tuple[int, ...]:
    """Return free ports."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return tuple(server.getsockname()[1] for server in servers)


def require_free(port: int, variable: str) -> None:
    """Raise Trouble when the port is taken; `variable` is the one that changes it."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections may still be closing
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as failure:
            if failure.errno != errno.EADDRINUSE:
                raise Trouble(f"port {port} cannot be used: {failure.strerror}") from None
            raise Trouble(
                f"port {port} is in use{_by_whom(port)}: stop that, or set {variable} to another port"
            ) from None


def _by_whom(port: int) -> str:
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        pid = next(c.pid for c in listening if c.pid and c.laddr.port == port)
        return f" by {psutil.Process(pid).name()} (process {pid})"
    except (StopIteration, psutil.Error):
        return " by another program"


def own_databases(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the URLs of the databases to use instead of embedded ones; None when there are none."""
    given = [environment.get(name) for name in OWN_DATABASES]
    if not any(given):
        return None
    user, order = given
    if not user or not order:
        raise Trouble(f"set both {' and '.join(OWN_DATABASES)}, or neither")
    return user, order


def why_unreachable(url: str) -> str:
    """Return the reason why the database does not answer; an empty text when it does."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as failure:
        return " ".join(str(failure).split())
    return ""
