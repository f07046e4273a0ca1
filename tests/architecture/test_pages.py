"""Every page declares who may see it, takes no forged form, and knows its visitor from the cookie alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from service_apps import MAKERS

from chassis.auth.tokens import DemoTokens
from chassis.context import Caller
from chassis.http.api import GuardedBlueprint
from chassis.http.openapi import Api
from chassis.pages.blueprint import Pages
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer

# Every line here shows the page to the whole internet.
PUBLIC_PAGES = {
    "user-service": {
        "GET /account/assets/<name>",
        "GET /account/email/confirm",
        "POST /account/email/confirm",
        "POST /account/passkeys/sign-in",
        "POST /account/passkeys/sign-in/options",
        "GET /account/password/forgotten",
        "POST /account/password/forgotten",
        "GET /account/password/new",
        "POST /account/password/new",
        "GET /account/renew",
        "POST /account/renew",
        "GET /account/sign-in",
        "POST /account/sign-in",
        "GET /account/sign-up",
        "POST /account/sign-up",
    },
    "order-service": {
        "GET /shop",
        "GET /shop/assets/<name>",
        "GET /shop/basket",
        "POST /shop/basket",
        "GET /shop/pictures/<drawing>-<hue>.svg",
        "GET /shop/products/<product_id>",
        "GET /shop/test-payment/<page_id>",
        "POST /shop/test-payment/<page_id>",
    },
}
# Served by Flask, but no pages: probes, the OpenAPI pages and their files, and the redirect from /.
NO_PAGES = {"health", "openapi", "swagger"}
WITHOUT_BLUEPRINT = {"start", "static"}
BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


def pages(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield method and rule of every page."""
    for rule in app.url_map.iter_rules():
        if isinstance(app.blueprints.get(rule.endpoint.rpartition(".")[0]), Pages):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield method, rule.rule


def path(rule: str) -> str:
    return rule.replace("<", "").replace(">", "")


@pytest.fixture(params=MAKERS)
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def app(service: str) -> Api:
    app: Api = MAKERS[service]()
    return app


def test_every_blueprint_is_guarded(app: Api) -> None:
    kinds = {name: isinstance(blueprint, (GuardedBlueprint, Pages)) for name, blueprint in app.blueprints.items()}
    loose = {name for name, guarded in kinds.items() if not guarded}
    assert loose <= NO_PAGES, f"make them with public_pages() or signed_in_pages(): {sorted(loose - NO_PAGES)}"
    assert {rule.endpoint for rule in app.url_map.iter_rules() if "." not in rule.endpoint} == WITHOUT_BLUEPRINT


def test_every_page_but_the_listed_ones_asks_the_visitor_to_sign_in(service: str, app: Api) -> None:
    client, public = app.test_client(use_cookies=False), set()
    for method, rule in pages(app):
        answer = client.open(path(rule), method=method, headers=BROWSER)
        if answer.status_code != 303 or not answer.headers["Location"].startswith("/account/sign-in?next="):
            public.add(f"{method} {rule}")
    new, gone = public - PUBLIC_PAGES[service], PUBLIC_PAGES[service] - public
    # The renewal leads visitors without a refresh token to the same page.
    gone -= {"GET /account/renew", "POST /account/renew"}
    assert not new, f"anybody may see {sorted(new)}: make its blueprint with signed_in_pages(), or list it here"
    assert not gone, f"not public any more, remove them from the list here: {sorted(gone)}"


def test_no_page_takes_a_form_of_another_site(app: Api) -> None:
    client = app.test_client(use_cookies=False)
    signs = [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
    forms = [(method, rule) for method, rule in pages(app) if method != "GET"]
    assert forms
    for method, rule in forms:
        for sign in signs:
            answer = client.open(path(rule), method=method, headers={"Accept": "text/html", **sign})
            assert answer.status_code == 403, f"{method} {rule} with {sign}"


def test_pages_change_things_by_post_alone(app: Api) -> None:
    assert {method for method, _ in pages(app)} == {"GET", "POST"}


def test_no_page_reads_a_bearer_token(service: str, app: Api) -> None:
    client = app.test_client(use_cookies=False)
    for method, rule in pages(app):
        if f"{method} {rule}" not in PUBLIC_PAGES[service]:
            answer = client.open(path(rule), method=method, headers=BROWSER | bearer("u-alice", "alice", "s-alice"))
            assert answer.status_code == 303, f"{method} {rule}"


def test_no_json_route_reads_a_cookie(app: Api) -> None:
    token = DemoTokens((LOCAL_SECRET,), 900).sign(Caller("u-alice", "alice", "s-alice"))
    names = ("shop-token", "__Host-token", "shop-refresh", "__Secure-refresh", "token", "session", "Authorization")
    cookies = {"Cookie": "; ".join(f"{name}={token}" for name in names)}
    client, refused = app.test_client(use_cookies=False), 0
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
        if isinstance(blueprint, GuardedBlueprint):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                bare = client.open(path(rule.rule), method=method)
                sent = client.open(path(rule.rule), method=method, headers=cookies)
                assert sent.status_code == bare.status_code, f"{method} {rule.rule}"
                refused += sent.status_code == 401
    assert refused
