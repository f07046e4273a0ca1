"""Races between server processes that share one database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from chassis.testing.http import bearer
from chassis.testing.postgres import migrated_database
from localshop.service import Service
from localshop.testing import free_ports
from order_service import MIGRATIONS

CATALOGUE = """id,name,description,category,price,currency,stock
p1,Last chance,,Things,10.00,EUR,20
p2,Plenty,,Things,10.00,EUR,1000
"""


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    """Run two order-services on one database; return their URLs."""
    products = tmp_path / "products.csv"
    products.write_text(CATALOGUE)
    with migrated_database("two_servers", MIGRATIONS) as database_url:
        log = tmp_path / "order.log"
        servers = [
            Service("order-service", port=port, database_url=database_url, log=log, environment={})
            for port in free_ports()
        ]
        servers[0].run("catalog", "import", products)
        try:
            for server in servers:
                server.launch()
            for server in servers:
                server.wait_until_ready()
            yield [server.url for server in servers]
        finally:
            for server in servers:
                server.stop()


def buy(urls: list[str], number: int, product_id: str, headers: dict[str, str]) -> httpx.Response:
    body = {"items": [{"product_id": product_id}]}
    return httpx.post(f"{urls[number % len(urls)]}/orders", json=body, headers=headers, timeout=30)


def left(urls: list[str], product_id: str) -> int:
    available: int = httpx.get(f"{urls[0]}/products/{product_id}").json()["available"]
    return available


def test_64_buyers_at_two_servers_buy_exactly_the_20_there_are(urls: list[str]) -> None:
    with ThreadPoolExecutor(64) as pool:
        buyers = [bearer(f"u-{number}", f"buyer{number}") for number in range(64)]
        answers = list(pool.map(lambda number: buy(urls, number, "p1", buyers[number]), range(64)))
    assert Counter(answer.status_code for answer in answers) == {201: 20, 409: 44}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"out_of_stock"}
    assert left(urls, "p1") == 0


def test_64_requests_with_one_key_at_two_servers_make_one_order(urls: list[str]) -> None:
    headers = bearer() | {"Idempotency-Key": "only-once"}
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda number: buy(urls, number, "p2", headers), range(64)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len(httpx.get(f"{urls[1]}/orders", headers=headers).json()) == 1
    assert left(urls, "p2") == 999
