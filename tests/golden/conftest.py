"""The environments ("worlds") of golden cases; all imports from the product are here."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import psycopg
import pytest
from flask import Flask
from psycopg import sql

import order_service
import user_service
from chassis.auth.roles import STAFF, UNPROVEN_STAFF
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer, closing
from chassis.testing.postgres import APP, OWNER, migrated_database
from order_service.catalog import importer
from order_service.catalog.import_file import Product
from order_service.settings import Settings as OrderSettings
from user_service.accounts.passwords import ARGON2ID
from user_service.accounts.rules import username_digest
from user_service.settings import Settings as UserSettings

from .cases import Case
from .wire import ask

SERVICES: dict[str, Any] = {
    "user-service": (user_service, UserSettings),
    "order-service": (order_service, OrderSettings),
}
DEAD = "postgresql://nobody@127.0.0.1:1/nothing"
ORIGIN = "https://shop.example"
SHELF = [
    Product("p1", "Blue mug", "A mug of clay", "Kitchen", 1250, "EUR", 100),
    Product("p2", "Red mug", 'Said to be "unbreakable", \u00fcber', "Kitchen", 999, "EUR", 5),
    Product("p3", "Lamp", "", "Living room", 10000, "EUR", 1),
    Product("p4", "Yankee candle", "Smells", "Living room", 1, "USD", 10),
    Product("p5", "Gone", "", "Things", 100, "EUR", 0),
]
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
AUDIT = [
    "INSERT INTO audit_entries (staff_id, staff_name, action, subject, before, after) VALUES "
    """('u-staff', 'staff', 'a', 's1', '{"n": 1}', '{"n": 2}')""",
    """INSERT INTO audit_entries (action, subject, after) VALUES ('b', 's1', '{"n": 3}')""",
]
ACCOUNT = [
    "INSERT INTO users (id, username, username_digest, password_hash, totp_secret, totp_since) "
    "VALUES ('u-guarded', 'guarded', {guarded}, {hash}, 'JBSWY3DPEHPK3PXP', '2026-01-01')",
    "INSERT INTO users (id, username, username_digest, password_hash, disabled_at) "
    "VALUES ('u-disabled', 'disabled', {disabled}, {hash}, '2026-01-01')",
    "INSERT INTO sessions (id, user_id, expires_at) VALUES ('s-guarded', 'u-guarded', '2999-01-01')",
    "INSERT INTO recovery_codes SELECT 'u-guarded', sha256(convert_to(code, 'UTF8')) "
    "FROM unnest(ARRAY['aaaaaaaaaaaaaaaa', 'aaaaaaaaaaaaaaa2']) AS code",
    "INSERT INTO users (id, username, username_digest, password_hash, roles) "
    "VALUES ('u-staff', 'staff', 'staff', 'x', ARRAY['staff'])",
    "INSERT INTO sessions (id, user_id, expires_at) VALUES ('s-staff', 'u-staff', '2999-01-01')",
    "INSERT INTO users (id, username, username_digest, password_hash, roles) "
    "VALUES ('u-keyed', 'keyed', {keyed}, {hash}, ARRAY['staff'])",
    "INSERT INTO passkeys (credential_id, user_id, public_key, sign_count, name) VALUES ('x', 'u-keyed', 'x', 0, 'x')",
    "INSERT INTO sessions (id, user_id, expires_at) VALUES ('s-keyed', 'u-keyed', '2999-01-01')",
]
WEBHOOK = "00000000-0000-0000-0000-0000000000a1"
EVENTS = [
    "INSERT INTO order_events (xid, id, order_id, type, status, total_minor, currency) VALUES "
    f"('{number}', '{id_}', '{id_}', 'order.{status}', '{status}', 1250, 'EUR')"
    for number, status, id_ in (
        (1, "placed", "00000000-0000-0000-0000-0000000000e1"),
        (2, "cancelled", "00000000-0000-0000-0000-0000000000e2"),
    )
] + [
    "INSERT INTO webhooks (id, url, types, secret) "
    f"VALUES ('{WEBHOOK}', 'https://hooks.example.com/', '{{order.placed,order.cancelled}}', 'secret')",
    "INSERT INTO webhook_deliveries (webhook_id, event_id, type, payload) "
    f"SELECT '{WEBHOOK}', id, type, '{{}}' FROM order_events",
    "UPDATE webhook_deliveries SET status = 'failed', attempts = 22, response_status = 500, failure = 'refused', "
    "finished_at = now() WHERE type = 'order.placed'",
]
# Carol and Dave name one address, which neither has confirmed; Eve has.
MAILED = [
    "INSERT INTO users (id, username, username_digest, password_hash, email, email_key, email_verified_at) VALUES "
    "('u-carol', 'carol', 'carol', 'x', 'carol@example.com', 'carol@example.com', NULL), "
    "('u-dave', 'dave', 'dave', 'x', 'carol@example.com', 'carol@example.com', NULL), "
    "('u-eve', 'eve', 'eve', 'x', 'eve@example.com', 'eve@example.com', '2026-01-01')",
    "INSERT INTO mail_tokens (digest, user_id, purpose, email_key, expires_at) "
    "SELECT sha256(convert_to(token, 'UTF8')), user_id, purpose, email_key, expires_at::timestamptz FROM (VALUES "
    "('confirm-carol', 'u-carol', 'confirm_email', 'carol@example.com', '2999-01-01'), "
    "('confirm-dave', 'u-dave', 'confirm_email', 'carol@example.com', '2999-01-01'), "
    "('reset-eve', 'u-eve', 'reset_password', 'eve@example.com', '2999-01-01'), "
    "('reset-dave', 'u-dave', 'reset_password', 'carol@example.com', '2026-01-01')"
    ") AS tokens (token, user_id, purpose, email_key, expires_at)",
]
ENDED = {"version": 1, "at": "2026-01-01T00:00:00Z", "session_id": "s-ended", "user_id": None}


SETTLED = {"plain", "cors", "strict", "staffed", "mailed"}  # worlds with a database that only the cases change


class World(NamedTuple):
    app: Flask
    saved: dict[str, str]


@pytest.fixture(scope="session")
def urls() -> Iterator[dict[str, str]]:
    """Return the URL of each service's database."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(migrated_database(f"golden_{name.replace('-', '_')}", module.MIGRATIONS))
            for name, (module, _) in SERVICES.items()
        }


@pytest.fixture(scope="session")
def open_world(urls: dict[str, str]) -> Callable[[str, str], AbstractContextManager[World]]:
    """Return a context manager that starts a service in a world, on an empty database."""

    @contextmanager
    def open_world(service: str, world: str) -> Iterator[World]:
        _empty(service, urls[service])
        with WORLDS[world](urls[service]) as settings:
            module, kind = SERVICES[service]
            with closing(module.create_app(kind(**settings))) as app:
                READY.get(world, lambda _: None)(app)
                yield World(app, _tokens())

    return open_world


def rows(app: Flask, world: str) -> str:
    """Return all rows of all tables; "" in worlds that are not settled."""
    if world not in SETTLED:
        return ""
    database = app.services.database  # type: ignore[attr-defined]
    names = [name for (name,) in database.fetch_all(TABLES)]
    tables = (f"(SELECT string_agg(t::text, chr(10) ORDER BY t::text) FROM {name} t)" for name in names)
    return str(database.fetch_one(f"SELECT concat_ws(chr(10), {', '.join(tables)}) AS rows").rows)


def _tokens() -> dict[str, str]:
    """Return the tokens that cases may use."""
    now = {"alice": bearer("u-alice", "alice", "s-alice"), "bob": bearer("u-bob", "bob", "s-bob")}
    now |= {"carol": bearer("u-carol", "", "s-carol"), "ended": bearer("u-alice", "alice", "s-ended")}
    now["staff"] = bearer("u-staff", "staff", "s-staff", roles=(STAFF,))
    now["guarded"] = bearer("u-guarded", "guarded", "s-guarded")
    now["keyed"] = bearer("u-keyed", "keyed", "s-keyed", roles=(UNPROVEN_STAFF,))
    now["unproven"] = bearer("u-staff", "staff", "s-staff", roles=(UNPROVEN_STAFF,))
    now["foreign"] = bearer("u-alice", "alice", "s-alice", secret="another secret of more than 32 characters")
    now["service"] = {"Authorization": f"Bearer {LOCAL_SECRET}"}
    with pytest.MonkeyPatch.context() as patch:
        there = time.time()
        for name, shift in (("expired", -2000), ("early", 86_400)):
            patch.setattr("itsdangerous.timed.time.time", lambda shift=shift: there + shift)
            now[name] = bearer("u-alice", "alice", "s-alice")
    return {name: headers["Authorization"].removeprefix("Bearer ") for name, headers in now.items()}


def _operate(url: str, *statements: str) -> None:
    with psycopg.connect(url.replace(f"={APP}", f"={OWNER}"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _empty(service: str, url: str) -> None:
    with psycopg.connect(url) as connection:
        tables = ", ".join(name for (name,) in connection.execute(TABLES))
    _operate(url, f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    if service == "order-service":
        importer.write(url, SHELF)


@contextmanager
def _plain(url: str) -> Iterator[dict[str, Any]]:
    yield {"database_url": url}


@contextmanager
def _staffed(url: str) -> Iterator[dict[str, Any]]:
    """Add two audit entries; an account of staff with a session, or two events with their deliveries."""
    with psycopg.connect(url) as connection:
        has_users = connection.execute("SELECT to_regclass('users') IS NOT NULL").fetchone() == (True,)
    _operate(url, *AUDIT)
    if has_users:
        known = {"hash": ARGON2ID.hash("correct horse")}
        known |= {name: username_digest(name) for name in ("guarded", "disabled", "keyed")}
        literals = {name: sql.Literal(value) for name, value in known.items()}
        _operate(url, *(sql.SQL(statement).format(**literals).as_string() for statement in ACCOUNT))  # type: ignore[arg-type]
    else:
        _operate(url, *EVENTS)
    yield {"database_url": url}


@contextmanager
def _mailed(url: str) -> Iterator[dict[str, Any]]:
    _operate(url, *MAILED)
    yield {"database_url": url}


@contextmanager
def _cors(url: str) -> Iterator[dict[str, Any]]:
    yield {"database_url": url, "cors_origins": (ORIGIN, "http://localhost:3000")}


@contextmanager
def _away(_: str) -> Iterator[dict[str, Any]]:
    yield {"database_url": DEAD}


@contextmanager
def _strict(url: str) -> Iterator[dict[str, Any]]:
    yield {"database_url": url, "rate_limit_per_address": 2}


@contextmanager
def _broken(url: str) -> Iterator[dict[str, Any]]:
    """Hide all tables, so that every statement fails as with a bug."""
    _operate(url, "ALTER SCHEMA public RENAME TO hidden")
    try:
        yield {"database_url": url}
    finally:
        _operate(url, "ALTER SCHEMA hidden RENAME TO public")


@contextmanager
def _stale(url: str) -> Iterator[dict[str, Any]]:
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would warn until the end of the tests
    yield {"database_url": url, "user_service_url": "http://127.0.0.1:1", "session_feed_max_age_seconds": 1}


@contextmanager
def _followed(url: str) -> Iterator[dict[str, Any]]:
    """Serve a feed with one ended session until the end of the tests."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Feed)
    Thread(target=server.serve_forever, daemon=True).start()
    yield {"database_url": url, "user_service_url": f"http://127.0.0.1:{server.server_address[1]}"}


class _Feed(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        endings = [ENDED] if "after=0" in self.path else []
        body = json.dumps({"version": 1, "endings": endings}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write no access log."""


def _wait_until(app: Flask, path: str, status: int) -> None:
    """Wait until a request of Alice's ended session to `path` gets `status`."""
    case = Case("", "POST", path, {"items": [{"product_id": "unknown"}]}, "ended")
    deadline = time.monotonic() + 30
    while ask(app, case, _tokens(), "198.51.100.1").status != status:
        assert time.monotonic() < deadline, f"{path} does not come to answer {status}"
        time.sleep(0.05)


WORLDS = {
    "plain": _plain,
    "staffed": _staffed,
    "mailed": _mailed,
    "cors": _cors,
    "away": _away,
    "strict": _strict,
    "broken": _broken,
    "stale": _stale,
    "followed": _followed,
}
READY: dict[str, Callable[[Flask], None]] = {
    "stale": lambda app: _wait_until(app, "/orders", 503),
    "followed": lambda app: _wait_until(app, "/orders", 401),
}
