"""Acknowledged orders exist once after kill -9 of both services and of PostgreSQL."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from localshop.shop import Shop

pytestmark = pytest.mark.e2e
BUYERS = 8
ORDERS = 200
KILL_AFTER = 80


class Customer:
    """A customer that orders one p1 at a time and records the acknowledged orders."""

    def __init__(self, shop: Shop, http: httpx.Client) -> None:
        self.acknowledged: dict[str, str] = {}
        self.http = http
        account = {"username": "alice", "password": "violet-harbour-42"}
        http.post(f"{shop.user.url}/register", json=account).raise_for_status()
        token = http.post(f"{shop.user.url}/login", json=account).raise_for_status().json()["token"]
        http.headers["Authorization"] = f"Bearer {token}"

    def order(self, key: str) -> None:
        body = {"items": [{"product_id": "p1", "qty": 1}]}
        try:
            response = self.http.post("/orders", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return
        if response.status_code == httpx.codes.CREATED:
            self.acknowledged[key] = response.json()["order_id"]

    def stored_orders(self) -> Counter[str]:
        """Return how often each order is in the list of orders, over all pages."""
        seen: Counter[str] = Counter()
        url: str | None = "/orders?limit=100"
        while url:
            response = self.http.get(url).raise_for_status()
            seen.update(order["order_id"] for order in response.json())
            url = response.links.get("next", {}).get("url")
        return seen

    def stock(self) -> int:
        return int(self.http.get("/products/p1").raise_for_status().json()["available"])


@pytest.fixture
def customer(shop: Shop) -> Iterator[Customer]:
    with httpx.Client(base_url=shop.order.url, timeout=10) as http:
        yield Customer(shop, http)


def test_acknowledged_orders_survive_kill_9_of_everything(shop: Shop, customer: Customer) -> None:
    # given many orders in flight
    stock = customer.stock()
    keys = [f"order-{number}" for number in range(ORDERS)]
    with ThreadPoolExecutor(BUYERS) as buyers:
        buying = buyers.map(customer.order, keys)
        while len(customer.acknowledged) < KILL_AFTER:
            time.sleep(0.005)

        # when everything is killed, and started again
        shop.kill()
        list(buying)
    acknowledged = dict(customer.acknowledged)
    shop.start()

    # then acknowledged orders exist once; other stored orders are requests that were in flight
    stored = customer.stored_orders()
    assert KILL_AFTER <= len(acknowledged) < ORDERS
    assert {order_id: stored[order_id] for order_id in acknowledged.values()} == dict.fromkeys(acknowledged.values(), 1)
    assert len(stored) <= len(acknowledged) + BUYERS
    assert customer.stock() == stock - len(stored)

    # and repeating every request with its key creates no second order
    for key in keys:
        customer.order(key)
    assert acknowledged.items() <= customer.acknowledged.items()
    assert customer.stored_orders() == Counter(customer.acknowledged.values())
    assert len(customer.acknowledged) == ORDERS
    assert customer.stock() == stock - ORDERS
