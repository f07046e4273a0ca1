from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.rate_limit.limiter import RateLimiter
from chassis.testing.http import browser
from chassis.testing.postgres import empty, migrated_database, operating
from user_service import MIGRATIONS, create_app
from user_service.accounts.passwords import Passwords
from user_service.settings import Settings

PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # for tests that do not test hashing


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    with migrated_database("user_service", MIGRATIONS) as url:
        yield Settings(database_url=url, database_pool_size=20)


@pytest.fixture(scope="session")
def operator(settings: Settings) -> Iterator[Database]:
    """Return the database connected as its owner."""
    with operating(settings.database_url) as database:
        yield database


@pytest.fixture(scope="session")
def whole_app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    app.services.database.close()


@pytest.fixture
def app(whole_app: Flask, operator: Database) -> Flask:
    empty(operator)
    whole_app.services.passwords = Passwords(QUICK)
    whole_app.services.rate_limiter = RateLimiter("memory://", per_address=600)
    return whole_app


@pytest.fixture
def db(app: Flask) -> Database:
    database: Database = app.services.database
    return database


@pytest.fixture
def run(app: Flask, operator: Database) -> Callable[..., Any]:
    """Run SQL as the database's owner; return its rows."""

    def run(sql: str, **parameters: Any) -> Any:
        with operator.transaction() as connection:
            result = connection.execute(sql, parameters or None)
            return result.fetchall() if result.description else None

    return run


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def visitor(app: Api) -> FlaskClient:
    """Return the browser of a visitor who has not signed in."""
    return browser(app)


@pytest.fixture
def alices(app: Api, register: Callable[..., Any]) -> FlaskClient:
    """Register Alice and sign her in; return her browser."""
    register("alice", name="Alice", email="alice@example.com")
    client = browser(app)
    assert client.post("/account/sign-in", data={"username": "alice", "password": PASSWORD}).status_code == 303
    return client


@pytest.fixture
def register(client: FlaskClient) -> Callable[..., Any]:
    """Create an account: register("alice", email="alice@example.com")."""

    def register(username: str = "alice", password: str = PASSWORD, **members: Any) -> Any:
        return client.post("/register", json={"username": username, "password": password, **members})

    return register


@pytest.fixture
def login(client: FlaskClient) -> Callable[..., Any]:
    def login(username: str = "alice", password: str = PASSWORD, **headers: str) -> Any:
        return client.post("/login", json={"username": username, "password": password}, headers=headers)

    return login


@pytest.fixture
def refresh(client: FlaskClient) -> Callable[..., Any]:
    """Trade a refresh token: refresh(token, HTTP_USER_AGENT="x") sets variables of the request's environ."""

    def refresh(refresh_token: str, **environ: str) -> Any:
        return client.post("/token/refresh", json={"refresh_token": refresh_token}, environ_overrides=environ)

    return refresh


@pytest.fixture
def sign_in(login: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """Sign in; return the headers of a signed-in caller."""
    return lambda *who, **headers: {"Authorization": f"Bearer {login(*who, **headers).json['token']}"}


@pytest.fixture
def staff(
    register: Callable[..., Any], run: Callable[..., Any], sign_in: Callable[..., dict[str, str]]
) -> dict[str, str]:
    """Register Stella, make her one of the staff and sign her in; return the headers of her session."""
    register("stella")
    run("UPDATE users SET roles = '{staff}' WHERE username = 'stella'")
    return sign_in("stella")


@pytest.fixture
def alice(register: Callable[..., Any], sign_in: Callable[..., dict[str, str]]) -> dict[str, str]:
    """Register Alice; return the headers of her session."""
    register("alice", name="Alice", email="Alice@example.com")
    return sign_in("alice")
