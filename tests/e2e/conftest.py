from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder


@pytest.fixture
def data() -> Iterator[Path]:
    with fresh_folder() as folder:
        yield folder


@pytest.fixture
def ports() -> tuple[int, ...]:
    return free_ports()


@pytest.fixture
def shop(data: Path, ports: tuple[int, int]) -> Iterator[Shop]:
    """Run a separate shop with the code of `make up`."""
    with Shop(data, user_port=ports[0], order_port=ports[1]) as shop:
        yield shop
