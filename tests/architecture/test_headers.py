"""Headers of every answer, on both services: from routes, refusals, failures, documentation and the page cache."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import order_service
import user_service
from chassis.testing.http import bearer, closing
from chassis.testing.postgres import migrated_database
from order_service.catalog import importer
from order_service.catalog.importer import Product
from order_service.settings import Settings as OrderSettings
from user_service.settings import Settings as UserSettings

SHOP = "https://shop.example"
OTHER = "https://shop.example.evil.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
GRANT = "Access-Control-Allow-Origin"
PLACES = ["/healthz", "/metrics", "/openapi/openapi.json", "/openapi/", "/nowhere", "/profile", "/orders", "/products"]


@pytest.fixture(scope="module")
def order_app() -> Iterator[Flask]:
    with migrated_database("headers_order", order_service.MIGRATIONS) as url:
        importer.write(url, [Product("p1", "Mouse", "", "Things", 100, "EUR", 5)])
        with closing(order_service.create_app(OrderSettings(database_url=url, cors_origins=(SHOP,)))) as app:
            yield app


@pytest.fixture(scope="module")
def user_app() -> Iterator[Flask]:
    with (
        migrated_database("headers_user", user_service.MIGRATIONS) as url,
        closing(user_service.create_app(UserSettings(database_url=url, cors_origins=(SHOP,)))) as app,
    ):
        yield app


@pytest.fixture(params=["order_app", "user_app"])
def client(request: pytest.FixtureRequest) -> FlaskClient:
    app: Flask = request.getfixturevalue(request.param)
    return app.test_client()


@pytest.fixture
def shelf(order_app: Flask) -> Callable[..., Any]:
    """Read the product list, which comes from the page cache after the first time."""
    client = order_app.test_client()
    return lambda **headers: client.get("/products", headers=headers)


@pytest.mark.parametrize("path", PLACES)
def test_every_response_has_security_headers_and_no_server_name(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers.getlist("Server") == [""]
    assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert len(answer.headers.getlist("Cache-Control")) == 1
    assert not {"X-Powered-By", "Via", "Set-Cookie"} & set(answer.headers.keys())


def test_private_responses_are_not_stored_by_shared_caches(order_app: Flask, user_app: Flask) -> None:
    orders = order_app.test_client().get("/orders", headers=bearer())
    again = order_app.test_client().get("/orders", headers=bearer() | {"If-None-Match": orders.headers["ETag"]})
    assert orders.headers["Cache-Control"] == again.headers["Cache-Control"] == "private, no-cache"
    assert again.status_code == 304
    assert order_app.test_client().get("/products").headers["Cache-Control"] == "no-cache"
    assert user_app.test_client().get("/profile", headers=bearer()).headers["Cache-Control"] == "no-store"
    assert user_app.test_client().post("/login", json={}).headers["Cache-Control"] == "no-store"


def test_a_page_from_memory_has_the_same_headers_also_as_304(shelf: Callable[..., Any]) -> None:
    kept = shelf()
    unchanged = shelf(**{"If-None-Match": kept.headers["ETag"]})
    assert unchanged.status_code == 304
    left_out = {"Content-Type", "Content-Length", "X-Request-ID"}
    assert {name: value for name, value in kept.headers if name not in left_out} == {
        name: value for name, value in unchanged.headers if name not in left_out
    }


@pytest.mark.parametrize("page", ["/openapi/", "/openapi/swagger"])
def test_documentation_page_runs_only_its_own_scripts(client: FlaskClient, page: str) -> None:
    # given
    answer = client.get(page)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    allowed = set(policy["script-src"].split())
    # when
    inline = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL) + re.findall(
        r'\son\w+="(.*?)"', answer.text, re.DOTALL
    )
    loaded = re.findall(r'(?:src|href)="(.*?)"', answer.text, re.DOTALL)
    # then
    hashes = {f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in inline}
    assert hashes == allowed - {"'self'", "'unsafe-hashes'"}
    assert hashes
    assert policy["default-src"] == "'none'"
    assert [url for url in loaded if ":" in url and not url.strip().startswith("data:image/")] == []
    for url in loaded:
        if not url.strip().startswith("data:"):
            with client.get(f"/openapi/{url}") as file:
                assert file.status_code == 200


def test_an_origin_of_the_list_may_read_every_answer_and_another_none(client: FlaskClient) -> None:
    for path in PLACES:
        mine, others, none = (
            client.get(path, headers={"Origin": origin} if origin else {}) for origin in (SHOP, OTHER, "")
        )
        assert mine.headers.getlist(GRANT) == [SHOP]
        assert others.headers.getlist(GRANT) == none.headers.getlist(GRANT) == []
        assert all("Origin" in answer.headers["Vary"] for answer in (mine, others, none))
        exposed = mine.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "Link", "Location", "Retry-After", "RateLimit", "X-Request-ID"} < set(exposed)
        assert "Access-Control-Allow-Credentials" not in mine.headers


@pytest.mark.parametrize("first", [SHOP, OTHER, ""])
def test_cached_response_has_the_cors_headers_of_its_own_request(
    order_app: Flask, shelf: Callable[..., Any], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.http.response_cache.FRESH_SECONDS", 60)
    order_app.wsgi_app.clear_caches()  # type: ignore[attr-defined]
    shelf(Origin=first)
    answers = {origin: shelf(Origin=origin) for origin in (SHOP, OTHER, "")}
    assert {origin: answer.headers.getlist(GRANT) for origin, answer in answers.items()} == {
        SHOP: [SHOP],
        OTHER: [],
        "": [],
    }
    assert [answer.headers.getlist("Vary") for answer in answers.values()] == [["Origin"]] * 3


@pytest.mark.parametrize("path", ["/profile", "/orders", "/login"])
def test_preflight_from_a_listed_origin_needs_no_token(client: FlaskClient, path: str) -> None:
    answer = client.options(path, headers={"Origin": SHOP, **PREFLIGHT})
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers[GRANT] == SHOP
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, PATCH, DELETE"
    assert {"Authorization", "Content-Type", "Idempotency-Key"} < set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )


@pytest.mark.parametrize("headers", [{"Origin": OTHER, **PREFLIGHT}, {"Origin": "null", **PREFLIGHT}, {}])
def test_any_other_preflight_grants_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.options("/login", headers=headers)
    assert [name for name, _ in answer.headers if name.startswith("Access-")] == []


def test_by_default_no_origin_is_granted_anything() -> None:
    app = user_service.create_app(UserSettings(database_url="postgresql://127.0.0.1:1/nowhere"))
    answer = app.test_client().get("/healthz", headers={"Origin": SHOP})
    assert GRANT not in answer.headers
    assert "Vary" not in answer.headers


@pytest.mark.parametrize("failing", ["bug", "database"])
def test_a_failure_shows_nothing_of_its_reason(user_app: Flask, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret ingredient")

    app = (
        user_app
        if failing == "bug"
        else user_service.create_app(UserSettings(database_url="postgresql://127.0.0.1:1/x"))
    )
    if failing == "bug":
        monkeypatch.setattr("user_service.sessions.actions.sign_in", bug)
    answer = app.test_client().post("/login", json={"username": "alice", "password": "correct horse"})
    assert answer.status_code == (500 if failing == "bug" else 503)
    assert set(answer.json or {}) == {"type", "title", "status", "code", "error", "request_id"}
    assert not re.search(r"Traceback|secret ingredient|psycopg|127\.0\.0\.1|\.py", answer.text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
