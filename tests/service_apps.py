"""The apps of both services on a test database, for tests across the services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from argon2 import PasswordHasher

import order_service
import user_service
from chassis.http.openapi import Api
from chassis.testing.http import closing
from chassis.testing.postgres import migrated_database
from order_service.catalog import importer
from order_service.catalog.import_file import Product
from order_service.settings import Settings as OrderSettings
from user_service.accounts.passwords import Passwords
from user_service.settings import Settings as UserSettings

NOWHERE = "postgresql://127.0.0.1:1/nowhere"
# The services without a database, for what needs none.
MAKERS: dict[str, Callable[[], Api]] = {
    "user-service": lambda: user_service.create_app(UserSettings(database_url=NOWHERE)),
    "order-service": lambda: order_service.create_app(OrderSettings(database_url=NOWHERE)),
}


@contextmanager
def user_app(database: str, **settings: Any) -> Iterator[Api]:
    """Run user-service's app with cheap hashing; close it and drop the database afterwards."""
    with (
        migrated_database(database, user_service.MIGRATIONS) as url,
        closing(user_service.create_app(UserSettings(database_url=url, **settings))) as app,
    ):
        app.services.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))  # type: ignore[attr-defined]
        yield app


@contextmanager
def order_app(database: str, products: Sequence[Product] = (), **settings: Any) -> Iterator[Api]:
    """Run order-service's app with these products; close it and drop the database afterwards."""
    with (
        migrated_database(database, order_service.MIGRATIONS) as url,
        closing(order_service.create_app(OrderSettings(database_url=url, **settings))) as app,
    ):
        importer.write(url, list(products))
        yield app
