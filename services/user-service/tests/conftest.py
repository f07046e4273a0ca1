from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.jobs.queue import Queue, procrastinate_app
from chassis.mail import Mail
from chassis.rate_limit.limiter import RateLimiter
from chassis.testing.http import browser
from chassis.testing.postgres import empty, migrated_database, operating
from user_service import MIGRATIONS, create_app
from user_service.accounts.passwords import Passwords
from user_service.jobs import tasks
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
def outbox() -> list[Mail | Exception]:
    """Return the list of mails that were sent; an exception put into it is raised by the next attempt instead."""
    return []


@pytest.fixture
def mails(app: Flask, db: Database, outbox: list[Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Mail]]:
    """Run all waiting jobs; return the mails that they sent."""

    def send(_settings: Settings, mail: Mail) -> None:
        if outbox and isinstance(outbox[0], Exception):
            raise outbox.pop(0)
        outbox.append(mail)

    def work() -> list[Mail]:
        application = procrastinate_app(Queue(db), tasks, app.services)  # type: ignore[attr-defined]
        options: dict[str, Any] = {"wait": False, "listen_notify": False, "install_signal_handlers": False}
        asyncio.run(application.run_worker_async(delete_jobs="successful", **options))
        sent = outbox.copy()
        outbox.clear()
        return sent

    monkeypatch.setattr("user_service.recovery.sending.send", send)
    return work


class Recovery(NamedTuple):
    """Requests that need no session, and the code that a mail carries."""

    client: FlaskClient

    def confirm(self, token: str) -> Any:
        return self.client.post("/email/verification/confirm", json={"token": token})

    def forget(self, email: str) -> Any:
        return self.client.post("/password/forgotten", json={"email": email})

    def reset(self, token: str, password: str = "battery staple") -> Any:
        return self.client.post("/password/reset", json={"token": token, "new_password": password})

    @staticmethod
    def code(mail: Mail) -> str:
        found = re.search(r"#code=(\S+)", mail.text)
        assert found, mail.text
        return found[1]


@pytest.fixture
def recovery(client: FlaskClient) -> Recovery:
    return Recovery(client)


@pytest.fixture
def verified(alice: dict[str, str], mails: Any, recovery: Recovery) -> dict[str, str]:
    """Return the headers of Alice, whose address is confirmed."""
    assert recovery.confirm(recovery.code(mails()[0])).status_code == 204
    return alice


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
