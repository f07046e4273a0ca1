from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from localshop.shop import Shop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


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
def shop(data: Path, ports: tuple[int, int]) -> Iterator[Shop]:
    """Run a shop of the test's own, with the code of `make up`."""
    with Shop(data, user_port=ports[0], order_port=ports[1]) as shop:
        yield shop
