"""The database's disk is full: 503, and no damage when there is space again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from chaos.auth_wiring import jwt_wiring
from chaos.environment import Environment
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

MIB = 1024 * 1024
VOLUME = 192


@contextmanager
def small_volume(folder: Path) -> Iterator[Path]:
    """Mount a tmpfs of VOLUME MiB; skip where mounting is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME}m,mode=755", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if done is None or done.returncode:
        pytest.skip(f"mounting a small file system is not possible here: {done.stderr.strip() if done else 'not root'}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill the volume; return the file that fills it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(MIB))
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    return ballast


@pytest.fixture
def cramped(environment: Environment, tmp_path: Path) -> Iterator[Environment]:
    """Run a shop with its data on the small volume and its logs elsewhere."""
    user_port, order_port = free_ports()
    with fresh_folder() as data:
        data.mkdir()
        with small_volume(data):
            logs = data.with_name("logs")
            logs.mkdir()
            (data / "logs").symlink_to(logs)
            settings = {**jwt_wiring(tmp_path), "WORKERS": "1"}
            with Shop(data, user_port=user_port, order_port=order_port, environment=settings) as shop:
                yield Environment(shop, environment.outcomes)


@pytest.mark.budget(200)
def test_full_disk_is_answered_with_503_and_damages_nothing(cramped: Environment) -> None:
    invariants = cramped.invariants()
    postgres_data = cramped.shop.data / "postgres"
    with cramped.load(8) as load:
        cramped.tend(2)
        before = len(load.heard)
        ballast = fill(cramped.shop.data)
        cramped.tend_until(lambda: 503 in {heard.status for heard in load.heard[before:]})
        cramped.tend(3)
        room_while_full = shutil.disk_usage(postgres_data).free
        ballast.unlink()
        cramped.mark()
        cramped.settle()
        cramped.tend(3)

    assert room_while_full < MIB
    refusals = {(heard.status, heard.retry_after) for heard in load.heard if heard.status not in {200, 201}}
    assert refusals == {(503, "1")}
    cramped.close("disk full", invariants, load)
