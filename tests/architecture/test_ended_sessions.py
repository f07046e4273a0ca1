"""After sign-out no signed-in route or page of any service answers, and nothing changes: new ones included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import service_apps
from flask import Flask

from chassis.app import init_app, open_database
from chassis.context import Caller
from chassis.http.api import GuardedBlueprint, signed_in
from chassis.http.openapi import Api, api
from chassis.http.responses import JsonResponse, json_response
from chassis.pages.blueprint import Pages
from chassis.testing.http import bearer, closing
from user_service.services import connect

PASSWORD = "correct horse"
# A route that checks the session in its own statement reads its body first.
BODIES: dict[str, dict[str, str]] = {
    "PATCH /profile": {"name": "Eve"},
    "DELETE /profile": {"password": PASSWORD},
    "POST /second-factor": {"password": PASSWORD},
    "POST /second-factor/confirm": {"otp": "123456"},
    "POST /second-factor/recovery-codes": {"password": PASSWORD, "otp": "123456"},
    "DELETE /second-factor": {"password": PASSWORD, "otp": "123456"},
    "POST /profile/password": {"current_password": PASSWORD, "new_password": "battery staple"},
}
FORMS: dict[str, dict[str, str]] = {
    "POST /account": {"name": "Eve"},
    "POST /account/address": {"street": "Weg 1", "city": "Bonn", "country": "DE"},
    "POST /account/password": {"current_password": PASSWORD, "new_password": "battery staple"},
    "POST /account/delete": {"password": PASSWORD},
    "POST /account/devices": {"session_id": "s-other"},
}
new_routes = signed_in("new", __name__)


@new_routes.get("/whoami")
def whoami(caller: Caller) -> JsonResponse:
    return json_response(caller._asdict())


@pytest.fixture(scope="module")
def user_app() -> Iterator[Api]:
    with service_apps.user_app("ended_user") as app:
        yield app


@pytest.fixture(scope="module")
def order_app() -> Iterator[Api]:
    with service_apps.order_app("ended_order") as app:
        app.services.has_ended = "s-ended".__eq__
        yield app


@pytest.fixture(scope="module")
def signed_out(user_app: Api) -> dict[str, str]:
    """Return the headers of a customer who has signed out."""
    client, account = user_app.test_client(), {"username": "alice", "password": PASSWORD}
    assert client.post("/register", json=account).status_code == 201
    headers = {"Authorization": f"Bearer {client.post('/login', json=account).json['token']}"}
    assert client.get("/profile", headers=headers).status_code == 200
    assert client.post("/logout", headers=headers).status_code == 204
    return headers


def entered(app: Flask, headers: dict[str, str]) -> dict[str, int]:
    """Call every signed-in route; return those that do not answer 401."""
    statuses = {}
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
        if isinstance(blueprint, GuardedBlueprint) and blueprint.guard.has_caller:
            for method in (rule.methods or set()) - {"OPTIONS"}:
                path, body = rule.rule.replace("<", "").replace(">", ""), BODIES.get(f"{method} {rule.rule}")
                statuses[f"{method} {rule.rule}"] = (
                    app.test_client().open(path, method=method, headers=headers, json=body).status_code
                )
    assert statuses
    return {route: status for route, status in statuses.items() if status != 401}


def entered_pages(app: Flask, headers: dict[str, str]) -> dict[str, int]:
    """Ask for every signed-in page with the token in the cookie; return those that do not lead to the renewal."""
    statuses = {}
    cookie = {"Cookie": f"shop-token={headers['Authorization'].removeprefix('Bearer ')}"}
    browser = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", **cookie}
    client = app.test_client(use_cookies=False)
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
        if isinstance(blueprint, Pages) and blueprint.needs_caller:
            for method in (rule.methods or set()) - {"OPTIONS"}:
                path, form = rule.rule.replace("<", "").replace(">", ""), FORMS.get(f"{method} {rule.rule}")
                answer = client.open(path, method=method, headers=browser, data=form)
                renewed = answer.headers.get("Location", "").startswith("/account/renew?next=")
                statuses[f"{method} {rule.rule}"] = 0 if renewed else answer.status_code
    assert statuses
    return {route: status for route, status in statuses.items() if status}


def all_rows(app: Api) -> Any:
    return app.services.database.fetch_all(
        "SELECT u::text AS row FROM users u UNION ALL SELECT s::text FROM sessions s"
    )


def test_user_service_refuses_every_signed_in_route_after_sign_out(user_app: Api, signed_out: dict[str, str]) -> None:
    before = all_rows(user_app)
    inside = entered(user_app, signed_out)
    assert not inside, f"remove @checks_session, or have the statement of these routes check the session: {inside}"
    assert all_rows(user_app) == before


def test_order_service_refuses_every_signed_in_route_after_sign_out(order_app: Api) -> None:
    assert entered(order_app, bearer("u-alice", "alice", "s-ended")) == {}


def test_user_service_refuses_every_signed_in_page_after_sign_out(user_app: Api, signed_out: dict[str, str]) -> None:
    before = all_rows(user_app)
    inside = entered_pages(user_app, signed_out)
    assert not inside, f"remove @checks_session, or have the statement of these pages check the session: {inside}"
    assert all_rows(user_app) == before


def test_order_service_refuses_every_signed_in_page_after_sign_out(order_app: Api) -> None:
    assert entered_pages(order_app, bearer("u-alice", "alice", "s-ended")) == {}


def test_new_route_without_a_statement_refuses_an_ended_session(user_app: Api, signed_out: dict[str, str]) -> None:
    settings = user_app.services.settings
    app = api("user-service", title="User service", version="1", port=5001)
    app.register_api(new_routes)
    init_app(app, connect(settings, open_database(settings)), prefix="/account", checks={})
    with closing(app):
        assert entered(app, signed_out) == {}
