"""Variables that a shell or a pod has for other programs do not change the shop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chassis.testing.http import bearer
from chassis.testing.postgres import migrated_database
from localshop.service import Service
from localshop.testing import free_ports
from order_service import MIGRATIONS

pytestmark = pytest.mark.e2e

LIBPQ = {
    "PGSERVICE": "nowhere",
    "PGCLIENTENCODING": "LATIN1",
    "PGOPTIONS": "-c search_path=nowhere",
    "PGHOST": "192.0.2.1",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGTZ": "Asia/Tokyo",
    "PGDATESTYLE": "German",
    "PGTARGETSESSIONATTRS": "standby",
}
PYTHON = {"PYTHONSAFEPATH": "1", "PYTHONWARNINGS": "error", "FLASK_DEBUG": "1"}
CATALOGUE = """id,name,description,category,price,currency,stock
p1,Möbel 椅子,,Things,10.00,EUR,20
"""


@pytest.fixture
def order_service(tmp_path: Path) -> Iterator[Service]:
    """Run order-service in a hostile environment; the catalogue is imported in it too."""
    products = tmp_path / "products.csv"
    products.write_text(CATALOGUE)
    with migrated_database("hostile", MIGRATIONS) as url:
        port, log = free_ports()[0], tmp_path / "order.log"
        service = Service("order-service", port=port, database_url=url, log=log, environment=LIBPQ | PYTHON)
        try:
            service.run("catalog", "import", products)
            service.start()
            yield service
        finally:
            service.stop()


def test_service_ignores_libpq_variables_of_its_environment(order_service: Service) -> None:
    found = httpx.get(f"{order_service.url}/products", params={"q": "椅子"})
    assert [product["name"] for product in found.json()] == ["Möbel 椅子"]
    body = {"items": [{"product_id": "p1"}]}
    placed = httpx.post(f"{order_service.url}/orders", json=body, headers=bearer("u-alice", "alice"))
    assert (placed.status_code, placed.json()["placed_at"][-6:]) == (201, "+00:00")


def test_safe_path_does_not_make_a_service_run_another(tmp_path: Path) -> None:
    port, log = free_ports()[0], tmp_path / "user.log"
    nowhere = "postgresql://127.0.0.1:1/nowhere"
    service = Service("user-service", port=port, database_url=nowhere, log=log, environment=PYTHON)
    try:
        service.launch()
        assert name_of(service) == "user-service"
    finally:
        service.stop()


def name_of(service: Service) -> str:
    """Return what /healthz names, as soon as it answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return str(httpx.get(f"{service.url}/healthz", timeout=5).json()["service"])
        except httpx.TransportError:
            assert service.running, service.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
