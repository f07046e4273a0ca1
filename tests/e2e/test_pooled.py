"""Both services behind PgBouncer in transaction mode, as docs/pgbouncer.ini configures it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import httpx
import psycopg
import pytest

from chassis.db.database import Database
from chassis.testing.http import bearer
from localshop.pgbouncer import PgBouncer, keeps_prepared_statements, program
from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(program() is None, reason="PgBouncer is not installed: apt-get install pgbouncer"),
]

DATABASES = ("user_service", "order_service")
POOL = 3  # connections to PostgreSQL per database, for the 16 of each service's two processes
CATALOGUE = """id,name,description,category,price,currency,stock
p1,Wireless Mouse,,Things,10.00,EUR,100
p2,Last chance,,Things,10.00,EUR,10
"""
ACCOUNT = {"username": "alice", "password": "violet-harbour-42", "name": "Alice Liddell"}
SHIP_TO = {"street": "Christ Church", "city": "Oxford", "postal_code": "1", "country": "DE"}


@pytest.fixture(scope="module", params=["false", "true"], ids=["unprepared", "prepared"])
def prepared(request: pytest.FixtureRequest) -> str:
    if request.param == "true" and not keeps_prepared_statements():
        pytest.skip("this PgBouncer keeps no prepared statements: 1.22 and newer do")
    return str(request.param)


@pytest.fixture(scope="module")
def shop(prepared: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Run a shop whose services use PgBouncer; migrations connect directly."""
    user_port, order_port = free_ports()
    products = tmp_path_factory.mktemp("pooled") / "products.csv"
    products.write_text(CATALOGUE)
    with fresh_folder() as data, ExitStack() as stack:
        shop = Shop(data, user_port=user_port, order_port=order_port)
        assert shop.postgres is not None
        urls = {name: shop.postgres.url(name, name) for name in DATABASES}
        pooler = PgBouncer(data.with_name("pgbouncer"), port=free_ports()[0], databases=urls, default_pool_size=POOL)
        environment = {"WORKERS": "2", "DATABASE_PREPARED_STATEMENTS": prepared}
        shop.user = shop.user.twin(user_port, through=pooler.url("user_service"), **environment)
        shop.order = shop.order.twin(order_port, through=pooler.url("order_service"), **environment)
        stack.callback(pooler.stop)
        pooler.start()
        stack.enter_context(shop)
        shop.order.run("catalog", "import", "--stock", "set", products)
        yield shop


def soon(happens: Callable[[], bool], seconds: float = 2) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happens():
            return True
        time.sleep(0.05)
    return False


def sign_in(shop: Shop) -> dict[str, str]:
    account = {name: ACCOUNT[name] for name in ("username", "password")}
    token = httpx.post(f"{shop.user.url}/login", json=account).raise_for_status().json()["token"]
    return {"Authorization": f"Bearer {token}"}


def order(shop: Shop, who: dict[str, str], product_id: str = "p1") -> httpx.Response:
    body = {"items": [{"product_id": product_id}], "ship_to": SHIP_TO, "shipping_method": "standard"}
    return httpx.post(f"{shop.order.url}/orders", json=body, headers=who, timeout=30)


def ask(shop: Shop, database: str, query: str) -> list[tuple[object, ...]]:
    """Query PostgreSQL directly."""
    assert shop.postgres is not None
    with psycopg.connect(shop.postgres.url(database)) as connection:
        return connection.execute(query).fetchall()


def available(shop: Shop, product_id: str) -> int:
    return int(httpx.get(f"{shop.order.url}/products/{product_id}").raise_for_status().json()["available"])


def test_customer_orders_reads_cancels_and_is_erased(shop: Shop) -> None:
    httpx.post(f"{shop.user.url}/register", json=ACCOUNT).raise_for_status()
    phone, laptop = sign_in(shop), sign_in(shop)
    assert httpx.get(f"{shop.user.url}/profile", headers=laptop).json()["name"] == "Alice Liddell"

    placed = order(shop, laptop)
    assert (placed.status_code, placed.json()["total"]) == (201, 14.9)
    assert placed.json()["placed_at"].endswith("+00:00")
    read = f"{shop.order.url}{placed.headers['Location']}"
    assert httpx.get(read, headers=laptop).json() == placed.json()
    assert available(shop, "p1") == 99
    assert httpx.post(f"{read}/cancel", headers=laptop).json()["status"] == "cancelled"
    assert available(shop, "p1") == 100

    httpx.post(f"{shop.user.url}/logout", headers=phone).raise_for_status()
    assert soon(lambda: order(shop, phone).status_code == 401)
    assert order(shop, laptop).status_code == 201

    password = {"password": ACCOUNT["password"]}
    httpx.request("DELETE", f"{shop.user.url}/profile", json=password, headers=laptop).raise_for_status()
    assert soon(lambda: order(shop, laptop).status_code == 401)
    named = "SELECT count(*) FROM orders WHERE num_nonnulls(buyer_name, ship_to) > 0"
    assert soon(lambda: ask(shop, "order_service", named) == [(0,)])


def test_32_buyers_at_once_share_few_connections(shop: Shop) -> None:
    with ThreadPoolExecutor(32) as pool:
        buyers = [bearer(f"u-{number}", f"buyer{number}") for number in range(32)]
        answers = list(pool.map(lambda buyer: order(shop, buyer, "p2"), buyers))

    assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 22}
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = datname"
    assert ask(shop, "order_service", query)[0][0] in range(1, 2 * POOL + 1)


@pytest.mark.parametrize(
    "setting", ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone"]
)
def test_pooled_connection_has_the_settings_of_a_direct_one(shop: Shop, setting: str) -> None:
    assert shop.postgres is not None
    for name, service in zip(DATABASES, shop.services, strict=True):
        values = [_setting(url, setting) for url in (shop.postgres.url(name, name), service.database_url)]
        assert values[0] == values[1] != "0"


def _setting(url: str, name: str) -> str:
    with closing(Database(url, prepared_statements=False)) as database:
        return str(database.fetch_one("SELECT current_setting(%(name)s) AS value", {"name": name}).value)


def test_requests_get_503_while_postgresql_is_away(shop: Shop) -> None:
    assert shop.postgres is not None
    shop.postgres.kill()
    began = time.monotonic()
    assert order(shop, bearer()).status_code == 503
    assert time.monotonic() - began < 4
    shop.postgres.start()
    assert soon(lambda: order(shop, bearer()).status_code == 201, seconds=10)
