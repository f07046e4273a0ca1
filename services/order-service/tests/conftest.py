from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from scripted_provider import ScriptedProvider

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.jobs import defer
from chassis.testing.http import bearer, browser, closing
from chassis.testing.postgres import empty, migrated_database, operating
from order_service import MIGRATIONS, create_app, jobs
from order_service.catalog import importer
from order_service.catalog.categories import Categories
from order_service.catalog.import_file import Product
from order_service.catalog.importer import Plan
from order_service.services import Services
from order_service.settings import Settings

NEXT_JOB = "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs) RETURNING *"
ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    with migrated_database("order_service", MIGRATIONS) as url:
        yield Settings(database_url=url, database_pool_size=40)


@pytest.fixture(scope="session")
def operator(settings: Settings) -> Iterator[Database]:
    """Return the database connected as its owner."""
    with operating(settings.database_url) as database:
        yield database


@pytest.fixture(scope="session")
def whole_app(settings: Settings) -> Iterator[Flask]:
    with closing(create_app(settings)) as app:
        yield app


@pytest.fixture
def app(whole_app: Flask, operator: Database) -> Flask:
    empty(operator)
    whole_app.wsgi_app.clear_caches()  # type: ignore[attr-defined]
    services: Services = whole_app.services  # type: ignore[attr-defined]
    services.categories = Categories(services.database)
    return whole_app


@pytest.fixture
def db(app: Flask) -> Database:
    database: Database = app.services.database
    return database


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def visitor(app: Api, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """Return the browser of a visitor who has not signed in; no page comes from memory."""
    monkeypatch.setattr("chassis.http.response_cache.FRESH_SECONDS", -1)
    return browser(app)


@pytest.fixture
def alices(app: Api) -> FlaskClient:
    """Return the browser of Alice, who is signed in."""
    return browser(app, ALICE["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def stock(app: Flask, settings: Settings) -> Callable[..., None]:
    """Import products: stock(p1=5), or a whole Product."""

    def put(*products: Product, price_minor: int = 1000, currency: str = "EUR", **amounts: int) -> None:
        simple = [
            Product(key, f"Product {key}", "", "Things", price_minor, currency, amount)
            for key, amount in amounts.items()
        ]
        importer.write(settings.database_url, [*products, *simple], Plan(stock="set"))

    return put


@pytest.fixture
def place(client: FlaskClient) -> Callable[..., Any]:
    """Place an order, by default as Alice: place(p1=2)."""

    def place(who: dict[str, str] = ALICE, key: str | None = None, **items: int) -> Any:
        headers = who | ({"Idempotency-Key": key} if key else {})
        lines = [{"product_id": product_id, "qty": qty} for product_id, qty in items.items()]
        return client.post("/orders", json={"items": lines}, headers=headers)

    return place


@pytest.fixture
def left(client: FlaskClient) -> Callable[[str], int]:
    """Return the available stock of a product."""
    return lambda product_id: client.get(f"/products/{product_id}").json["available"]  # type: ignore[index]


@pytest.fixture
def provider(app: Flask, monkeypatch: pytest.MonkeyPatch) -> ScriptedProvider:
    """Let the shop take payments through a provider of the test."""
    services: Services = app.services  # type: ignore[attr-defined]
    provider = ScriptedProvider()
    monkeypatch.setattr(services, "terms", services.terms._replace(payment_minutes=30))
    monkeypatch.setattr(services, "payments", provider)
    return provider


@pytest.fixture
def work(app: Flask, db: Database) -> Callable[[], None]:
    """Return a function that runs the jobs that wait, as the worker does; a failed one waits again."""

    def work() -> None:
        while job := db.fetch_one(NEXT_JOB):
            try:
                getattr(jobs, job.task_name)(app.services, **job.args)
            except Exception:
                with db.transaction("wait_again") as connection:
                    defer(connection, job.task_name, job.args)
                raise

    return work
