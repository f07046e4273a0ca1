"""Upgrade and roll back under requests without retries: the release before and this one on one schema.

As in a cluster: the new release migrates the databases while the old one serves; then its servers replace the old ones
one by one, and both releases serve side by side. The rollback replaces them the other way; the schema stays.
"""

from __future__ import annotations

import itertools
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from chaos import releases
from chaos.auth_wiring import jwt_wiring
from chaos.balancer import Endpoints, Errand, RetrylessClients
from chaos.environment import PLENTY, PRODUCTS, restock, sign_in
from chaos.invariants import UNITS, Invariants, Units, compare
from chaos.load import Load
from chaos.report import Outcome
from chaos.test_rolling_restarts import SERVERS, Fleet, fleet, replace_oldest
from chaos.wire import Line, Response
from localshop import ROOT
from localshop.service import Service
from localshop.shop import Shop
from localshop.signals import pause
from localshop.testing import free_ports, fresh_folder

CLIENTS, BUYERS = 2, 2
SECONDS = 1.5  # of requests between two steps
PAYMENTS = {"PAYMENT_PROVIDER": "test", "MOST_UNPAID_ORDERS": "1000", "MOST_UNPAID_UNITS": "100000"}
WRITTEN = "SELECT 'o-' || replace(id::text, '-', '') FROM orders WHERE idempotency_key IS NULL"


class Release(NamedTuple):
    """The servers of one release, and the process of its background jobs."""

    user: Service
    order: Service
    jobs: Service

    @classmethod
    def of(cls, shop: Shop, root: Path) -> Release:
        """Return the release whose code is below `root`."""
        settings = {} if root == ROOT else {"PYTHONPATH": releases.python_path(root)}
        user = shop.user.of_checkout(root, **settings)
        order = shop.order.of_checkout(root, **settings, **PAYMENTS)
        return cls(user, order, order.job_worker(free_ports(1)[0]))

    def migrate(self) -> None:
        for service in (self.user, self.order):
            service.run("migrate")

    def start(self) -> None:
        """Start user-service at the address that order-service knows, and the background jobs."""
        self.user.start()
        self.jobs.start()

    def stop(self) -> None:
        self.user.stop()
        self.jobs.stop()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Yield a shop with empty databases, of which nothing else runs yet."""
    user_port, order_port = free_ports()
    with fresh_folder() as data:
        (data / "logs").mkdir(parents=True)
        shop = Shop(data, user_port=user_port, order_port=order_port, environment=jwt_wiring(tmp_path))
        assert shop.postgres is not None
        shop.postgres.start()
        try:
            shop.postgres.create_databases("user_service", "order_service")
            yield shop
        finally:
            shop.postgres.stop()


@pytest.fixture
def before(shop: Shop, tmp_path: Path) -> Iterator[Release]:
    """Run the release before: its schema, its catalogue, its background jobs."""
    release = Release.of(shop, releases.checkout(releases.previous_commit(), tmp_path / "before"))
    release.migrate()
    release.order.run("catalog", "import", "--if-empty", ROOT / "services/order-service/demo/products.csv")
    restock(shop.order.database_url, PRODUCTS, PLENTY)
    release.start()
    yield release
    release.stop()


@pytest.fixture
def after(shop: Shop, before: Release) -> Iterator[Release]:
    release = Release.of(shop, ROOT)
    yield release
    release.stop()


class Buyers(Load):
    """Buyers who send each request to any ready server: repetitions and cancellations meet the other release too."""

    def __init__(self, endpoints: Endpoints, customers: Sequence[dict[str, str]]) -> None:
        self._endpoints = endpoints
        super().__init__([], customers, BUYERS, PRODUCTS)

    def _ask(self, line: Line, path: str, headers: dict[str, str], body: Any) -> Response:
        line = Line([random.choice(self._endpoints.ready)])
        try:
            return super()._ask(line, path, headers, body)
        finally:
            line.close()


class Requests(NamedTuple):
    """All that customers send while the releases change."""

    orders: RetrylessClients
    readers: tuple[RetrylessClients, ...]
    buyers: Load

    @property
    def failures(self) -> list[str]:
        failed = [failure for clients in (self.orders, *self.readers) for failure in clients.failures]
        refused = [f"a buyer was answered {heard.status}" for heard in self.buyers.heard if heard.status >= 500]
        return failed + refused + ["a buyer was not answered"] * self.buyers.unanswered


@contextmanager
def requests(users: Fleet, orders: Fleet, customers: list[dict[str, str]]) -> Iterator[Requests]:
    with ExitStack() as stack:
        of_users, of_orders = (stack.enter_context(Endpoints(each.ports)) for each in (users, orders))

        def clients(endpoints: Endpoints, wanted: int, *errands: Errand) -> RetrylessClients:
            return stack.enter_context(RetrylessClients(endpoints, errands, wanted, CLIENTS))

        placing = [
            ("POST", "/orders", {"items": [{"product_id": product}]}, customer)
            for product, customer in itertools.product(PRODUCTS, customers)
        ]
        reading = [("GET", "/orders?limit=20", None, each) for each in customers] + [("GET", "/products", None, {})]
        ordering = clients(of_orders, 201, *placing)
        readers = clients(of_orders, 200, *reading), clients(of_users, 200, ("GET", "/profile", None, customers[0]))
        yield Requests(ordering, readers, stack.enter_context(Buyers(of_orders, customers)))


def change(before: Release, after: Release, users: Fleet, orders: Fleet) -> None:
    """Replace one release by the other, as a cluster does: its migration first, then the servers one by one."""
    after.migrate()
    pause(SECONDS)
    users.model, orders.model = after.user, after.order
    for _ in range(SERVERS):
        assert replace_oldest(users, orders) == [0, 0]
        pause(SECONDS)
    before.stop()
    after.start()


def audit(shop: Shop, sent: Requests, opening: Units) -> Outcome:
    with psycopg.connect(shop.order.database_url) as connection:
        lost, duplicated, findings = compare(connection, sent.buyers)
        findings += Invariants(shop.order.database_url).inconsistencies(connection)
        written = {order_id for (order_id,) in connection.execute(WRITTEN)}
        assert dict(connection.execute(UNITS).fetchall()) == opening
    acknowledged = {answer.json["order_id"] for answer in sent.orders.acknowledged}
    assert findings == []
    total = sent.buyers.sent + sent.orders.sent
    kept = len(acknowledged) + len(sent.buyers.acknowledged)
    lost, duplicated = lost + len(acknowledged - written), duplicated + len(written - acknowledged)
    return Outcome("upgrade, rollback and upgrade, no retries", total, kept, lost, duplicated, None)


@pytest.mark.budget(480)
def test_no_request_fails_while_a_release_comes_and_goes(
    shop: Shop, before: Release, after: Release, outcomes: list[Outcome]
) -> None:
    with psycopg.connect(shop.order.database_url) as connection:
        opening: Units = dict(connection.execute("SELECT id, stock::bigint FROM products").fetchall())
    customers = [sign_in(shop, f"customer{number}") for number in range(4)]
    with (
        fleet(before.user) as users,
        fleet(before.order) as orders,
        requests(users, orders, customers) as sent,
    ):
        pause(SECONDS)
        for old, new in ((before, after), (after, before), (before, after)):
            change(old, new, users, orders)

    assert sent.failures == []
    outcome = audit(shop, sent, opening)
    outcomes.append(outcome)
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    assert outcome.acknowledged > 100


def test_shallow_clone_says_how_to_fetch_the_release_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shallow = ("git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), str(tmp_path / "clone"))
    subprocess.run(shallow, check=True)
    monkeypatch.setattr(releases, "ROOT", tmp_path / "clone")
    with pytest.raises(AssertionError, match="git fetch --unshallow"):
        releases.checkout(releases.previous_commit(), tmp_path / "before")
