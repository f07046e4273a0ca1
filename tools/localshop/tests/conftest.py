from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from localshop.__main__ import cli
from localshop.testing import free_ports, fresh_folder


@pytest.fixture
def data() -> Iterator[Path]:
    with fresh_folder() as folder:
        yield folder


@pytest.fixture
def ports() -> tuple[int, ...]:
    return free_ports()


@pytest.fixture
def localshop(data: Path, ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Return a function that runs `localshop` on the test's folder and ports."""
    for name in ("USER_DATABASE_URL", "ORDER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    (mailbox,) = free_ports(1)
    usual = ["--user-port", str(ports[0]), "--order-port", str(ports[1]), "--mailbox-port", str(mailbox)]
    yield lambda *arguments, ports=usual: CliRunner().invoke(cli, ["--data", str(data), *ports, *arguments])
    for number, handler in handlers.items():
        signal.signal(number, handler)
