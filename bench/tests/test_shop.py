from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from bench import floor, shop, suite
from bench.customers import HOT, SPREAD, loads, register
from bench.shop import Shop
from bench.wrk import Load
from localshop import Trouble

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def services() -> Iterator[Shop]:
    with shop.postgres() as server, shop.running(server, "bench") as services:
        yield services


@pytest.fixture(scope="module")
def first(services: Shop) -> Mapping[str, Load]:
    """Return the loads with their first request only."""
    whole = loads(register(services))
    return {work: load._replace(requests=load.requests[:1]) for work, load in whole.items()}


def test_shop_serves_every_request_that_is_measured(services: Shop, first: Mapping[str, Load]) -> None:
    answers = {work: floor.ask(services[load.service].port, *load.requests)[0] for work, load in first.items()}
    orders = {suite.ORDER, HOT, SPREAD}
    assert answers == {work: "201 Created" if work in orders else "200 OK" for work in first}


def test_floor_runs_the_statement_and_sends_the_bytes(
    services: Shop, first: Mapping[str, Load], tmp_path: Path
) -> None:
    floor.record(services, {work: first[work] for work in suite.FLOOR}, tmp_path / "answers")
    databases, answers = pickle.loads((tmp_path / "answers").read_bytes())
    bare = floor.Floor(databases, answers)
    for (method, path, token), [recording] in answers.items():
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_AUTHORIZATION": token, "wsgi.input": io.BytesIO()}
        assert list(bare(environ, lambda *_: None)) == [recording.body]
    assert len(answers) == len(suite.FLOOR)
    for database in bare.databases.values():
        database.close()


def test_audit_fails_when_stock_and_orders_differ(services: Shop, first: Mapping[str, Load]) -> None:
    floor.ask(services["order-service"].port, *first[suite.ORDER].requests)
    suite.audit(services)
    with psycopg.connect(services["order-service"].settings["DATABASE_URL"]) as connection:
        connection.execute("UPDATE products SET stock = stock - 1 WHERE id = 'p1'")
    with pytest.raises(Trouble, match="stock and orders disagree"):
        suite.audit(services)
