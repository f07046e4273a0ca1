"""Routes and pages of staff let staff alone in, and nobody while ended sessions are known too late."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Response

from chassis.auth.roles import STAFF, UNPROVEN_STAFF
from chassis.context import Caller
from chassis.http.api import checks_session, staff
from chassis.http.openapi import Api
from chassis.http.responses import JsonResponse, json_response
from chassis.pages.blueprint import staff_pages
from chassis.pages.setup import UnsafePage
from chassis.problems import Unavailable
from chassis.testing.http import bearer, browser

ROLES = [((), 403, "staff_only"), ((UNPROVEN_STAFF,), 403, "second_factor_needed"), ((STAFF,), 200, None)]


@pytest.fixture
def app(start: Callable[..., Api]) -> Api:
    routes, pages = staff("tools", __name__), staff_pages("tool pages", __name__, "/tools/pages")

    @routes.get("/tools")
    def show(caller: Caller) -> JsonResponse:
        return json_response({"who": caller.username})

    pages.add_url_rule("", "show", lambda: Response("tools"))
    return start(routes, pages)


def token(*roles: str) -> dict[str, str]:
    return bearer("u-1", "alice", "s-1", roles=roles)


@pytest.mark.parametrize(("roles", "status", "code"), ROLES)
def test_only_a_caller_with_the_role_of_staff_calls_the_route(
    app: Api, roles: tuple[str, ...], status: int, code: str | None
) -> None:
    answer = app.test_client().get("/tools", headers=token(*roles))
    assert (answer.status_code, answer.json.get("code")) == (status, code)  # type: ignore[union-attr]


@pytest.mark.parametrize(("roles", "status", "code"), ROLES)
def test_only_a_visitor_with_the_role_of_staff_sees_the_page(
    app: Api, roles: tuple[str, ...], status: int, code: str | None
) -> None:
    visitor = browser(app, token(*roles)["Authorization"].removeprefix("Bearer "))
    answer = visitor.get("/tools/pages")
    assert (answer.status_code, "That is not allowed" in answer.text) == (status, code is not None)


def test_without_a_token_a_route_answers_401_and_a_page_asks_to_sign_in(app: Api) -> None:
    assert app.test_client().get("/tools").status_code == 401
    answer = browser(app).get("/tools/pages")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sign-in?next=%2Ftools%2Fpages")


def test_an_ended_session_of_staff_is_refused_as_any_other(app: Api) -> None:
    app.services.has_ended = "s-1".__eq__  # type: ignore[method-assign]
    assert app.test_client().get("/tools", headers=token(STAFF)).status_code == 401


def test_staff_are_refused_while_ended_sessions_are_known_too_late(app: Api) -> None:
    def refuse() -> None:
        raise Unavailable

    app.services.require_current_sessions = refuse
    assert app.test_client().get("/tools", headers=token(STAFF)).status_code == 503
    assert browser(app, token(STAFF)["Authorization"].removeprefix("Bearer ")).get("/tools/pages").status_code == 503
    assert app.test_client().get("/tools", headers=token()).status_code == 403


def test_a_page_of_staff_that_checks_the_session_itself_is_refused(start: Callable[..., Api]) -> None:
    pages = staff_pages("tool pages", __name__, "/tools")
    pages.add_url_rule("", "show", checks_session(lambda: Response("tools")))
    with pytest.raises(UnsafePage, match="remove @checks_session"):
        start(pages)
