"""A service with an unsafe route declaration does not start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask_openapi3 import APIBlueprint

from chassis.context import Caller
from chassis.http.api import checks_session, public, signed_in, staff
from chassis.http.openapi import Api
from chassis.http.response_cache import cached
from chassis.http.responses import JsonResponse, no_content
from chassis.http.routes import UnsafeRoute


def show() -> JsonResponse:
    return no_content()


def show_list() -> JsonResponse:
    return no_content()


def show_own(caller: Caller) -> JsonResponse:
    return no_content()


def show_of_staff(caller: Caller) -> JsonResponse:
    return no_content()


def show_with_weather(weather: Any) -> JsonResponse:
    return no_content()


@pytest.mark.parametrize(
    ("blueprint", "view", "reason"),
    [
        (APIBlueprint("open", __name__), show, r"^/x: make its blueprint with public\(\), signed_in\(\)"),
        (public("open", __name__), show_own, "asks for the caller"),
        (signed_in("own", __name__), cached(show_list), "must not be cached"),
        (staff("staff", __name__), checks_session(show_of_staff), "remove @checks_session"),
        (public("open", __name__), show_with_weather, "cannot ask for weather"),
    ],
)
def test_an_unsafe_route_is_refused_at_start(
    start: Callable[..., Api], blueprint: APIBlueprint, view: Any, reason: str
) -> None:
    blueprint.get("/x")(view)
    with pytest.raises(UnsafeRoute, match=reason):
        start(blueprint)


def test_no_json_route_is_left_to_flask(start: Callable[..., Api]) -> None:
    blueprint = public("open", __name__)
    blueprint.get("/x")(show)
    app = start(blueprint)
    assert app.test_client().get("/x").status_code == 204
    with app.test_request_context("/x"), pytest.raises(AssertionError, match="past its dispatcher"):
        app.dispatch_request()


def test_a_route_that_is_declared_twice_is_refused_at_start(start: Callable[..., Api]) -> None:
    first, second = public("first", __name__), public("second", __name__)
    first.get("/x")(show)
    second.get("/x")(show_list)
    with pytest.raises(UnsafeRoute, match="GET /x is declared 2 times"):
        start(first, second)
