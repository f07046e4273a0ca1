from __future__ import annotations

import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from localshop.__main__ import cli


@pytest.fixture
def data() -> Iterator[Path]:
    """Return a data folder that does not exist yet, on a short path that PostgreSQL's account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="test-shop-"))
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def ports() -> tuple[int, int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        return probes[0].getsockname()[1], probes[1].getsockname()[1]


@pytest.fixture
def localshop(data: Path, ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Return the command line, on the test's own folder and ports."""
    for name in ("USER_DATABASE_URL", "ORDER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    where = ["--data", str(data), "--user-port", str(ports[0]), "--order-port", str(ports[1])]
    yield lambda *arguments: CliRunner().invoke(cli, [*where, *arguments])
    for number, handler in handlers.items():
        signal.signal(number, handler)
