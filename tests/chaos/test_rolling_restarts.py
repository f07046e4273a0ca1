"""Replace all servers one by one under requests without retries.

As in a cluster: a new server starts on another port; the old one gets SIGTERM, fails its readiness check, closes its
connections after each response, serves for DRAIN_SECONDS, finishes the requests in flight, and ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from chaos.balancer import Endpoints, Errand, RetrylessClients
from chaos.environment import Environment
from chaos.report import Outcome
from localshop.service import Service
from localshop.testing import free_ports

SERVERS = 2
CLIENTS = 6
SETTINGS = {"DRAIN_SECONDS": "1.5", "WORKERS": "1"}


class Fleet:
    """Servers of one service, replaced one by one by others like its `model`."""

    def __init__(self, model: Service) -> None:
        self.model = model
        self.servers: list[Service] = []

    def launch(self) -> Service:
        server = self.model.twin(free_ports()[0], **SETTINGS)
        server.launch()
        self.servers.append(server)
        return server

    def ports(self) -> list[int]:
        return [server.port for server in self.servers]


@contextmanager
def fleet(model: Service) -> Iterator[Fleet]:
    fleet = Fleet(model)
    try:
        for server in [fleet.launch() for _ in range(SERVERS)]:
            server.wait_until_ready()
        yield fleet
    finally:
        for server in fleet.servers:
            server.kill()


def replace_oldest(*fleets: Fleet) -> list[int | None]:
    """Start a successor in each fleet, then ask the oldest server to stop; return the exit codes."""
    for successor in [fleet.launch() for fleet in fleets]:
        successor.wait_until_ready()
    oldest = [fleet.servers[0] for fleet in fleets]
    for server in oldest:
        server.ask_to_stop()
    exit_codes = [server.wait(30) for server in oldest]
    for fleet in fleets:
        fleet.servers.pop(0).kill()
    return exit_codes


@pytest.mark.budget(200)
def test_no_request_fails_while_both_services_are_restarted(environment: Environment) -> None:
    (customer, *_) = environment.customers
    ordering: Errand = ("POST", "/orders", {"items": [{"product_id": "p1"}]}, customer)
    reading: Errand = ("GET", "/profile", None, customer)
    before = orders_written(environment)
    with (
        fleet(environment.shop.user) as users,
        fleet(environment.shop.order) as orders,
        Endpoints(users.ports) as user_endpoints,
        Endpoints(orders.ports) as order_endpoints,
        RetrylessClients(user_endpoints, [reading], 200, CLIENTS) as readers,
        RetrylessClients(order_endpoints, [ordering], 201, CLIENTS) as load,
    ):
        exit_codes = [replace_oldest(users, orders) for _ in range(SERVERS)]

    assert readers.failures == []
    assert load.failures == []
    assert exit_codes == [[0, 0]] * SERVERS
    acknowledged = {answer.json["order_id"] for answer in load.acknowledged}
    written = orders_written(environment) - before
    lost, too_many = acknowledged - written, written - acknowledged
    sent = readers.sent + load.sent
    environment.outcomes.append(
        Outcome("SIGTERM, each server in turn, no retries", sent, len(acknowledged), len(lost), len(too_many), None)
    )
    assert (len(lost), len(too_many)) == (0, 0)
    assert len(acknowledged) == load.sent > 100


def orders_written(environment: Environment) -> set[str]:
    with psycopg.connect(environment.shop.order.database_url) as connection:
        rows = connection.execute("SELECT 'o-' || replace(id::text, '-', '') FROM orders").fetchall()
    return {order_id for (order_id,) in rows}
