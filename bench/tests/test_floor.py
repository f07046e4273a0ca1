"""The floor is a limit only as long as it answers what the shop answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from bench import seed, servers, suite, traffic
from bench.seed import SMALL
from bench.traffic import World
from bench.wrk import Load
from chassis.http.response_cache import FRESH_SECONDS
from localshop import Trouble
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    user, order = free_ports()
    with fresh_folder() as data, Shop(data, user_port=user, order_port=order) as shop:
        seed.fill(shop, SMALL)
        yield traffic.visit(shop, SMALL)


@pytest.fixture(scope="module")
def loads(world: World) -> dict[str, Load]:
    return traffic.loads(world)


@pytest.fixture
def floor(world: World, loads: dict[str, Load]) -> Iterator[int]:
    port, _ = free_ports()
    ports = {work: suite.port(world, work) for work in suite.FLOOR}
    answers = {work: servers.require(servers.current(loads[work], to), to) for work, to in ports.items()}
    child = servers.floor(port, world.shop.data, servers.plan(world, answers))
    with servers.running(child, port):
        yield port


def test_the_floor_answers_as_the_shop_does(world: World, loads: dict[str, Load], floor: int) -> None:
    for work in suite.FLOOR:
        servers.require_same(work, loads[work], suite.port(world, work), floor)


def test_an_answer_that_differs_is_noticed(world: World, loads: dict[str, Load], floor: int) -> None:
    # given the list as the shop answered it, before an order changed it
    servers.require(Load([traffic.placing(world, [["p1"]])[0]], 201), world.shop.order.port)
    time.sleep(FRESH_SECONDS)
    # then
    with pytest.raises(Trouble, match="the floor answers products otherwise"):
        servers.require_same("products", loads["products"], world.shop.order.port, floor)


def test_a_status_that_differs_is_noticed(loads: dict[str, Load], floor: int) -> None:
    with pytest.raises(Trouble, match="200 instead of 201"):
        servers.require(loads["product"]._replace(status=201), floor)


def test_what_was_sold_is_what_was_ordered_or_the_audit_says_so(world: World, loads: dict[str, Load]) -> None:
    # given
    servers.require(loads["create_order"], world.shop.order.port)
    seed.audit(world.shop)
    # when a unit goes missing
    with psycopg.connect(world.shop.order.database_url) as connection:
        connection.execute("UPDATE products SET stock = stock - 1 WHERE id = 'p1'")
    # then
    with pytest.raises(Trouble, match="do not balance"):
        seed.audit(world.shop)
