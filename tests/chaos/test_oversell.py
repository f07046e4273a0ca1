"""Two servers with four workers each, 64 buyers, few units, and a kill -9 in every round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import psutil
import psycopg
import pytest

from chaos.environment import Environment, restock
from chaos.invariants import compare
from chaos.report import Outcome
from localshop.testing import free_ports
from order_service.catalog.stock import DIFFERENT

ROUNDS = 50
BUYERS = 64
SCARCE = "p6"
COUNT = """
SELECT p.stock, coalesce(sum(l.qty) FILTER (WHERE o.status = 'placed'), 0)
FROM products p LEFT JOIN order_lines l ON l.product_id = p.id LEFT JOIN orders o ON o.id = l.order_id
WHERE p.id = %s GROUP BY p.id
"""


class Shelf(NamedTuple):
    stock: int
    sold: int


def shelf(connection: psycopg.Connection) -> Shelf:
    row = connection.execute(COUNT, (SCARCE,)).fetchone()
    assert row is not None
    return Shelf(*row)


@pytest.fixture
def two_servers(environment: Environment) -> Iterator[Environment]:
    """Run two order-service servers with four workers each."""
    usual = environment.shop.order.environment
    environment.restart(environment.shop.order, WORKERS="4")
    twin = environment.shop.order.twin(free_ports()[0])
    try:
        twin.start()
        environment.orders.append(twin)
        yield environment
    finally:
        environment.orders[:] = [environment.shop.order]
        twin.kill()
        environment.shop.order.environment = usual
        environment.restart(environment.shop.order)


def strike(environment: Environment, number: int) -> None:
    """Kill -9 a worker; every tenth time a whole server."""
    server = environment.random.choice(environment.orders)
    if number % 10 == 9:
        return server.kill()
    with suppress(psutil.NoSuchProcess, IndexError):  # it has ended already and is being restarted
        environment.random.choice(server.workers()).kill()
    return None


def fight(environment: Environment, number: int) -> Outcome:
    """Let 64 buyers order a few units while processes are killed; audit the result."""
    units = environment.random.randint(5, 30)
    restock(environment.shop.order.database_url, [SCARCE], units)
    with psycopg.connect(environment.shop.order.database_url, autocommit=True) as connection:
        before = shelf(connection)
        with environment.load(BUYERS, [SCARCE]) as load:
            environment.tend(0.2)
            strike(environment, number)
            environment.tend(0.4)
            load.close()
            environment.tend_until(load.have_final_answers, patience=60)
        after = shelf(connection)
        lost, duplicated, findings = compare(connection, load)
        assert connection.execute(DIFFERENT).fetchall() == []
    assert environment.bugs() == []
    assert findings[:20] == []
    assert after.sold - before.sold <= units
    assert after.stock + after.sold == units + before.sold
    return Outcome("", load.sent, len(load.acknowledged), lost, duplicated, None)


@pytest.mark.budget(480)
def test_64_buyers_at_eight_workers_never_oversell_despite_kill_9(two_servers: Environment) -> None:
    rounds = [fight(two_servers, number) for number in range(ROUNDS)]

    whole = Outcome(
        f"oversell, {ROUNDS} rounds of kill -9",
        sum(each.sent for each in rounds),
        sum(each.acknowledged for each in rounds),
        sum(each.lost for each in rounds),
        sum(each.duplicated for each in rounds),
        None,
    )
    two_servers.outcomes.append(whole)
    assert (whole.lost, whole.duplicated) == (0, 0)
    assert whole.acknowledged > ROUNDS
