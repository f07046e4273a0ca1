"""A shop under test whose ended processes are restarted, as an orchestrator would."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import psycopg

from chaos.invariants import Invariants
from chaos.load import Load
from chaos.report import Outcome
from localshop.service import Service
from localshop.shop import Shop

PRODUCTS = ("p1", "p2", "p3", "p4", "p5")
PLENTY = 1_000_000
RESTOCK = """
WITH p AS (
    UPDATE products SET stock = %(units)s WHERE id = ANY (%(products)s) RETURNING new.id, new.stock - old.stock AS moved
)
INSERT INTO stock_movements (product_id, kind, units) SELECT id, 'adjustment', moved FROM p WHERE moved <> 0
"""
PASSWORD = "violet-harbour-42"


class Environment:
    """The shop under test. Start processes in the main thread only: a child ends with the thread that started it."""

    def __init__(self, shop: Shop, outcomes: list[Outcome]) -> None:
        self.shop = shop
        self.outcomes = outcomes
        self.orders: list[Service] = [shop.order]
        self.random = random.Random(3)
        self.moments: list[float] = []
        restock(shop.order.database_url, PRODUCTS, PLENTY)
        self.customers = [sign_in(shop, f"customer{number}") for number in range(8)]

    def bugs(self) -> list[str]:
        """Return the logged errors that are bugs."""
        logs = [server.log.read_text(errors="replace").splitlines() for server in self.shop.services]
        return [line for log in logs for line in log if "unhandled_error" in line or "Exception on" in line]

    def setting(self, name: str) -> str:
        """Return a variable of the services' environment."""
        return (self.shop.user.environment or {})[name]

    def arm(self, failpoint: str) -> Path:
        """Arm a failpoint for one crash; its file is deleted by the crash."""
        file = Path(self.setting("FAILPOINTS"), failpoint)
        file.touch()
        return file

    @property
    def servers(self) -> list[Service]:
        return [self.shop.user, *self.orders]

    @property
    def ports(self) -> list[int]:
        return [server.port for server in self.orders]

    def load(self, count: int, products: Sequence[str] = PRODUCTS) -> Load:
        return Load(self.ports, self.customers, count, products)

    def invariants(self) -> Invariants:
        return Invariants(self.shop.order.database_url)

    def mark(self) -> None:
        """Record the end of a fault, from which the recovery time counts."""
        self.moments.append(time.monotonic())

    def tend(self, seconds: float) -> None:
        """Wait and restart ended servers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.revive()
            time.sleep(0.05)

    def revive(self) -> None:
        if self.shop.postgres is not None and not self.shop.postgres.running:
            self.shop.postgres.start()
        for server in self.servers:
            if not server.running:
                server.kill()  # its remaining workers
                server.launch()

    def tend_until(self, happened: Callable[[], bool], patience: float = 30) -> None:
        deadline = time.monotonic() + patience
        while not happened():
            assert time.monotonic() < deadline, f"it did not happen within {patience} seconds"
            self.tend(0.05)

    def settle(self) -> None:
        """Wait until everything is ready; start again whatever ends meanwhile.

        The server's supervisor exits when a worker dies within 5.5 s of its start, as some do that are killed here.
        """
        self.tend_until(lambda: all(server.is_ready() for server in self.servers), patience=60)

    def restart(self, server: Service, **environment: str) -> None:
        """Restart a server with additional environment variables."""
        server.stop()
        server.environment = {**(server.environment or {}), **environment}
        server.start()

    def close(self, fault: str, invariants: Invariants, load: Load) -> Outcome:
        """Audit the invariants after a fault and write the line of the report; fail on any finding."""
        lost, duplicated, findings = invariants.audit(load)
        recovery = [(load.orders_after(moment) or moment) - moment for moment in self.moments]
        self.moments.clear()
        outcome = Outcome(fault, load.sent, len(load.acknowledged), lost, duplicated, max(recovery, default=None))
        self.outcomes.append(outcome)
        assert self.bugs() == []
        assert findings[:20] == []
        assert (lost, duplicated) == (0, 0)
        assert outcome.acknowledged > 0
        return outcome


def restock(database_url: str, products: Sequence[str], units: int) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(RESTOCK, {"units": units, "products": list(products)})


def sign_in(shop: Shop, username: str) -> dict[str, str]:
    """Register the customer if necessary, sign in, and return the headers."""
    return bearer(open_session(shop, username))


def open_session(shop: Shop, username: str) -> dict[str, str]:
    """Register the customer if necessary, sign in, and return the tokens."""
    account = {"username": username, "password": PASSWORD}
    with httpx.Client(base_url=shop.user.url, timeout=30) as http:
        http.post("/register", json={**account, "name": f"Name of {username}"})
        tokens: dict[str, str] = http.post("/login", json=account).raise_for_status().json()
    return tokens


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['token']}"}
