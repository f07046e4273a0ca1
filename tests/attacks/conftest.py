from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import service_apps
from flask import Flask

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.rate_limit.limiter import RateLimiter
from chassis.testing.postgres import empty, operating
from order_service.catalog import importer
from order_service.catalog.import_file import Product

from .documents import Operation

Headers = dict[str, str]
PASSWORD = "violet-harbour-42"
STOCK = 1000
METHOD = """
INSERT INTO shipping_methods (id, name, currency, price_minor) VALUES ('standard', 'Standard', 'EUR', 490) RETURNING 1
"""


@pytest.fixture(scope="module")
def user_app() -> Iterator[Api]:
    with service_apps.user_app("attacked_users", database_pool_size=20) as app:
        yield app


@pytest.fixture(scope="module")
def order_app() -> Iterator[Api]:
    with service_apps.order_app("attacked_orders") as app:
        yield app


@pytest.fixture(scope="module")
def order_database(order_app: Api) -> str:
    return order_app.services.settings.database_url


@pytest.fixture(scope="module")
def operators(user_app: Api, order_database: str) -> Iterator[tuple[Database, Database]]:
    """Return both databases connected as their owners."""
    with operating(user_app.services.settings.database_url) as users, operating(order_database) as orders:
        yield users, orders


@pytest.fixture
def apps(user_app: Api, order_app: Api, order_database: str, operators: tuple[Database, Database]) -> dict[str, Flask]:
    """Return both apps with one product, no customer and no counted attempt."""
    user_app.services.rate_limiter = RateLimiter("memory://", per_address=600)  # type: ignore[attr-defined]
    for database in operators:
        empty(database)
    order_app.wsgi_app.clear_caches()  # type: ignore[attr-defined]
    importer.write(order_database, [Product("p1", "Product", "", "Things", 1000, "EUR", STOCK)])
    operators[1].fetch_one(METHOD)
    return {"user-service": user_app, "order-service": order_app}


@pytest.fixture
def sign_up(apps: dict[str, Flask], operators: tuple[Database, Database]) -> Callable[..., Headers]:
    """Register the user if necessary; return the headers of a new session."""
    homes = count(secrets.randbits(15))

    def sign_up(username: str = "mallory", *, is_staff: bool = False) -> Headers:
        client = apps["user-service"].test_client()
        account = {"username": username, "password": PASSWORD}
        home = {"REMOTE_ADDR": f"2001:db8:0:{next(homes):x}::1"}  # one per sign-up, so that no rate limit is shared
        client.post("/register", json=account, environ_base=home)
        if is_staff:
            operators[0].fetch_one("UPDATE users SET roles = '{staff}' RETURNING id")
        answer: Any = client.post("/login", json=account, environ_base=home)
        return {"Authorization": f"Bearer {answer.json['token']}"}

    return sign_up


def send(apps: dict[str, Flask], operation: Operation, headers: Headers, **how: Any) -> Any:
    path = how.pop("path", operation.path).replace("{country}", "DE").replace("{", "").replace("}", "")
    if operation.path.endswith("/refunds"):
        headers = {"Idempotency-Key": secrets.token_hex(), **headers}
    if operation.path.startswith("/payments/") and "json" not in how:
        how["json"] = {}
    return apps[operation.service].test_client().open(path, method=operation.method.upper(), headers=headers, **how)


def rows(app: Flask) -> dict[str, int]:
    """Return the number of rows of every table."""
    database: Database = app.services.database
    names = [row.tablename for row in database.fetch_all("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    return {name: database.fetch_one(f'SELECT count(*) AS rows FROM "{name}"').rows for name in names}
