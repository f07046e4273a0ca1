from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from flask import Flask

from chassis.auth.tokens import caller
from chassis.http.api import signed_in
from chassis.http.dispatch import Dispatcher, express
from chassis.http.responses import JsonResponse, json_response
from chassis.problems import Conflict
from chassis.telemetry.logging import configure
from chassis.testing.postgres import bearer, without_framework

log = logging.getLogger(__name__)
busy = signed_in("busy", __name__)


@busy.get("/busy")
@express
def show() -> JsonResponse:
    return json_response({"user": caller().username})


@busy.get("/late")
@express
def fail_late() -> JsonResponse:
    log.warning("about_to_fail")
    time.sleep(0.05)
    raise Conflict


@busy.get("/bug")
@express
def fail() -> JsonResponse:
    raise RuntimeError


@pytest.fixture
def fast(app: Flask) -> Flask:
    app.register_api(busy)  # type: ignore[attr-defined]
    app.wsgi_app = Dispatcher(app)  # type: ignore[method-assign]
    return app


def test_only_a_token_that_was_verified_before_takes_the_express_lane(fast: Flask) -> None:
    client = fast.test_client()
    with without_framework(fast), pytest.raises(AssertionError, match="the framework was asked"):
        client.get("/busy", headers=bearer())
    assert client.get("/busy", headers=bearer()).json == {"user": "alice"}
    with without_framework(fast):
        assert client.get("/busy", headers=bearer()).json == {"user": "alice"}
        with pytest.raises(AssertionError, match="the framework was asked"):
            client.get("/busy", headers=bearer(username="bob"))


def test_a_refusal_in_the_express_lane_is_logged_once_with_its_caller_its_id_and_all_of_its_time(
    lines: Any, fast: Flask
) -> None:
    configure("toy-service", "local", "INFO")
    client = fast.test_client()
    client.get("/busy", headers=bearer())
    lines()
    answer = client.get("/late", headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")  # type: ignore[index]
    event, access = lines()
    assert (event["event"], access["path"], access["user"]) == ("about_to_fail", "/late", "u-1")
    assert event["request_id"] == access["request_id"] == answer.headers["X-Request-ID"]
    assert access["ms"] > 50


def test_a_bug_in_the_express_lane_is_a_500_like_any_other(lines: Any, fast: Flask) -> None:
    configure("toy-service", "local", "INFO")
    fast.test_client().get("/busy", headers=bearer())
    answer = fast.test_client().get("/bug", headers=bearer())
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")  # type: ignore[index]
    assert "unhandled_error" in {line["event"] for line in lines()}


def test_a_blueprint_with_a_hook_of_its_own_has_no_place_in_the_express_lane(app: Flask) -> None:
    careful = signed_in("careful", __name__)
    careful.before_request(lambda: None)
    careful.get("/careful")(express(lambda: json_response({})))
    app.register_api(careful)  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="/careful"):
        Dispatcher(app)
