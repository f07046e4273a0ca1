"""A customer's life for Locust: register, look around, search, sign in, order, look at the order, cancel some.

The URLs of both services are in USER_URL and ORDER_URL. Customers who leave delete their accounts; their orders stay.
"""

from __future__ import annotations

import os
import random
import secrets
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import gevent
from locust import HttpUser, between, task
from locust.exception import RescheduleTask

USER_URL, ORDER_URL = os.environ["USER_URL"], os.environ["ORDER_URL"]
CANCEL_EVERY = 4
MOST_UNITS = 2
SECONDS_WITHOUT_HINT = 5.0
TIMEOUT_SECONDS = 30


class Customer(HttpUser):
    """Visits again and again with one account."""

    host = ORDER_URL
    wait_time = between(0.3, 1)
    account: dict[str, str] | None = None

    def on_stop(self) -> None:
        """Delete the account."""
        if self.account:
            with suppress(RescheduleTask):
                self.sign_in(self.account)
                self.ask("DELETE", "/profile", 204, json={"password": self.account["password"]})

    @task
    def visit(self) -> None:
        products = self.look_around()
        self.account = self.account or self.register()
        self.sign_in(self.account)
        self.order(products)
        self.ask("POST", "/logout", 204)

    def register(self) -> dict[str, str]:
        """Register; one address may register few accounts a minute, so wait for the turn."""
        account = {"username": f"load-{secrets.token_hex(8)}", "password": secrets.token_urlsafe(16)}
        while (answer := self.ask("POST", "/register", 201, 429, json=account)).status_code != HTTPStatus.CREATED:
            gevent.sleep(float(answer.headers.get("Retry-After", SECONDS_WITHOUT_HINT)))
        return account

    def look_around(self) -> list[dict[str, Any]]:
        """Return the products of the list and those of a search for a word of one of them."""
        listed = self.ask("GET", "/products", 200, params={"limit": 20}).json()
        word = random.choice(random.choice(listed)["name"].split())
        found = self.ask("GET", "/products", 200, name="GET /products?q=", params={"q": word, "limit": 20}).json()
        self.ask("GET", f"/products/{random.choice(listed)['id']}", 200, name="GET /products/<id>")
        return [*listed, *found]

    def sign_in(self, account: dict[str, str]) -> None:
        tokens = self.ask("POST", "/login", 200, json=account).json()
        self.client.headers["Authorization"] = f"Bearer {tokens['token']}"

    def order(self, products: list[dict[str, Any]]) -> None:
        """Order a product; it may be sold out, or too many orders of it may wait for their payment."""
        items = [{"product_id": random.choice(products)["id"], "qty": random.randint(1, MOST_UNITS)}]
        key = {"Idempotency-Key": secrets.token_hex(16)}
        placed = self.ask("POST", "/orders", 201, 409, json={"items": items}, headers=key)
        self.ask("GET", "/orders", 200, params={"limit": 20})
        if placed.status_code != HTTPStatus.CREATED:
            return
        path = f"/orders/{placed.json()['order_id']}"
        self.ask("GET", path, 200, name="GET /orders/<id>")
        if random.randrange(CANCEL_EVERY) == 0:
            self.ask("POST", f"{path}/cancel", 200, name="POST /orders/<id>/cancel")

    def ask(self, method: str, path: str, *expected: int, name: str = "", **request: Any) -> Any:
        """Send a request after a pause; a status that is not expected counts as an error and ends the visit."""
        self.wait()
        base = ORDER_URL if path.startswith(("/products", "/orders")) else USER_URL
        options = {"name": name or f"{method} {path}", "catch_response": True, "timeout": TIMEOUT_SECONDS}
        with self.client.request(method, base + path, **options, **request) as answer:
            if answer.status_code not in expected:
                answer.failure(str(answer.error or f"{answer.status_code} {answer.text[:200]}"))
                raise RescheduleTask
            answer.success()
            return answer
