"""Headers of documentation pages and cached responses; the golden cases pin all others."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
import service_apps
from flask import Flask
from flask.testing import FlaskClient

import order_service
from chassis.testing.http import closing
from order_service.catalog.import_file import Product
from order_service.settings import Settings as OrderSettings

SHOP = "https://shop.example"
OTHER = "https://shop.example.evil.example"
NOWHERE = "postgresql://127.0.0.1:1/nowhere"
YEAR = "max-age=31536000"
GRANT = "Access-Control-Allow-Origin"


@pytest.fixture(scope="module")
def order_app() -> Iterator[Flask]:
    mouse = Product("p1", "Mouse", "", "Things", 100, "EUR", 5)
    with service_apps.order_app("headers_order", [mouse], cors_origins=(SHOP,)) as app:
        yield app


@pytest.fixture(scope="module")
def user_app() -> Iterator[Flask]:
    with service_apps.user_app("headers_user", cors_origins=(SHOP,)) as app:
        yield app


@pytest.fixture(params=["order_app", "user_app"])
def client(request: pytest.FixtureRequest) -> FlaskClient:
    app: Flask = request.getfixturevalue(request.param)
    return app.test_client()


@pytest.fixture
def shelf(order_app: Flask) -> Callable[..., Any]:
    """Request the product list, which is cached after the first time."""
    client = order_app.test_client()
    return lambda **headers: client.get("/products", headers=headers)


@pytest.mark.parametrize("path", ["/products", "/orders", "/healthz", "/openapi/", "/nothing"])
@pytest.mark.parametrize(("env", "sent"), [("local", []), ("dev", [YEAR]), ("prod", [YEAR])])
def test_browsers_are_told_to_use_https_outside_local(env: str, sent: list[str], path: str) -> None:
    settings = OrderSettings(database_url=NOWHERE).model_copy(update={"app_env": env})
    with closing(order_service.create_app(settings)) as app, app.test_client().get(path) as answer:
        assert answer.headers.getlist("Strict-Transport-Security") == sent


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
