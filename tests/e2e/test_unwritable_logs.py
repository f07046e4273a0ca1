"""Bookkeeping that fails does not fail a request: log lines that cannot be written, metrics without room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from chassis.testing.http import bearer
from chassis.testing.postgres import migrated_database
from localshop.service import Service
from localshop.testing import free_ports
from order_service import MIGRATIONS

pytestmark = pytest.mark.e2e
CATALOGUE = """id,name,description,category,price,currency,stock
p1,Mug,,Things,10.00,EUR,20
"""
HEALTHZ_WITHOUT_SERVER = """
import sys, order_service
from order_service.settings import Settings
app = order_service.create_app(Settings(database_url="postgresql://127.0.0.1:1/nothing"))
print(app.test_client().get("/healthz").status_code, file=sys.stderr)
"""


@contextmanager
def full_device() -> Iterator[int]:
    """Yield what every write is refused by as by a full disk."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@contextmanager
def pipe_that_nobody_reads() -> Iterator[int]:
    """Yield a pipe that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    yield writer
    os.close(reader)
    os.close(writer)


@contextmanager
def running(service: Service, output: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service with its output and its errors going there."""
    command = (sys.executable, "-m", "chassis.server")
    with subprocess.Popen(command, cwd=service.cwd, env=service.environment, stdout=output, stderr=output) as server:
        try:
            while not service.is_ready():
                assert server.poll() is None
            yield server
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    products, log = tmp_path / "products.csv", tmp_path / "order.log"
    products.write_text(CATALOGUE)
    with migrated_database("unwritable", MIGRATIONS) as url:
        service = Service("order-service", port=free_ports()[0], database_url=url, log=log, environment={})
        service.run("catalog", "import", products)
        yield service


@pytest.mark.parametrize("output", [full_device, pipe_without_reader, pipe_that_nobody_reads])
def test_order_is_answered_with_201_when_no_log_line_can_be_written(service: Service, output: object) -> None:
    with output() as descriptor, running(service, descriptor):  # type: ignore[operator]
        placed = httpx.post(
            f"{service.url}/orders", json={"items": [{"product_id": "p1"}]}, headers=bearer("u-alice", "alice")
        )
        healthy = httpx.get(f"{service.url}/healthz")
        dropped = httpx.get(f"{service.url}/metrics").text.partition("\nlog_lines_dropped_total ")[2].splitlines()[0]

    assert (placed.status_code, healthy.status_code) == (201, 200)
    assert float(dropped) >= 2  # of the order and of the check


def test_healthz_answers_200_with_standard_output_on_a_full_disk() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", HEALTHZ_WITHOUT_SERVER], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr.splitlines()[0] == "200"


def test_metric_files_of_a_worker_have_their_room_before_the_disk_is_full(service: Service) -> None:
    try:
        service.start()
        (worker,) = service.workers()
        files = list(Path(worker.environ()["PROMETHEUS_MULTIPROC_DIR"]).glob(f"*_{worker.pid}.db"))
        sparse = [file.name for file in files if file.stat().st_blocks * 512 < file.stat().st_size]
        assert (len(files), sparse) == (4, [])
    finally:
        service.stop()
