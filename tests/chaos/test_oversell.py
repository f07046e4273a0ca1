"""Two servers of four workers each, 64 buyers, few units, and a kill -9 in every round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import psutil
import psycopg
import pytest

from chaos.books import compare
from chaos.report import Outcome
from chaos.world import World, restock
from localshop.testing import free_ports

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
def crowd(world: World) -> Iterator[World]:
    """Run order-service as two servers of four workers each."""
    usual = world.shop.order.environment
    world.restart(world.shop.order, WORKERS="4")
    twin = world.shop.order.twin(free_ports()[0])
    try:
        twin.start()
        world.orders.append(twin)
        yield world
    finally:
        world.orders[:] = [world.shop.order]
        twin.kill()
        world.shop.order.environment = usual
        world.restart(world.shop.order)


def strike(world: World, number: int) -> None:
    """Kill -9 a worker; every tenth time a whole server."""
    server = world.random.choice(world.orders)
    if number % 10 == 9:
        return server.kill()
    with suppress(psutil.NoSuchProcess, IndexError):  # it has just ended by itself, and is being started again
        world.random.choice(server.workers()).kill()
    return None


def fight(world: World, number: int) -> Outcome:
    """Let 64 buyers fight for a few units while processes die; check what they got against the books."""
    units = world.random.randint(5, 30)
    restock(world.shop.order.database_url, [SCARCE], units)
    with psycopg.connect(world.shop.order.database_url, autocommit=True) as connection:
        before = shelf(connection)
        with world.buyers(BUYERS, [SCARCE]) as buyers:
            world.tend(0.2)
            strike(world, number)
            world.tend(0.4)
            buyers.close()
            world.tend_until(buyers.have_final_answers, patience=60)
        after = shelf(connection)
        lost, duplicated, findings = compare(connection, buyers)
    assert world.bugs() == []
    assert findings[:20] == []
    assert after.sold - before.sold <= units
    assert after.stock + after.sold == units + before.sold
    return Outcome("", buyers.sent, len(buyers.acknowledged), lost, duplicated, None)


@pytest.mark.budget(240)
def test_64_buyers_at_eight_workers_never_buy_more_than_there_is_whoever_is_killed(crowd: World) -> None:
    rounds = [fight(crowd, number) for number in range(ROUNDS)]

    whole = Outcome(
        f"oversell, {ROUNDS} rounds of kill -9",
        sum(each.sent for each in rounds),
        sum(each.acknowledged for each in rounds),
        sum(each.lost for each in rounds),
        sum(each.duplicated for each in rounds),
        None,
    )
    crowd.outcomes.append(whole)
    assert (whole.lost, whole.duplicated) == (0, 0)
    assert whole.acknowledged > ROUNDS
