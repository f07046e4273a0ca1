"""Whatever is sent: a clear 4xx in one shape, and nothing stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from chassis.auth.tokens import DemoTokens
from chassis.context import Caller
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer, closing
from order_service import create_app
from order_service.settings import Settings

ALICE = bearer("u-alice", "alice")

JSON = {"Content-Type": "application/json"}
PROTECTED = [("GET", "/orders"), ("POST", "/orders"), ("POST", "/create_order"), ("GET", "/orders/o-1")]
PROTECTED += [("POST", "/orders/o-1/cancel")]


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    document: dict[str, Any] = answer.json
    assert document["status"] == status
    assert document["error"]
    assert document["request_id"] == answer.headers["X-Request-ID"]
    return document


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", "the body is not valid JSON"),
        (b"\xff\xfe", "the body is not valid JSON"),
        (b'{"items": [{"product_id": "\\ud800"}]}', "the body is not valid JSON"),
        (b"[" * 5000 + b"]" * 5000, "the body is not valid JSON"),
        (b'{"items": NaN}', "the body is not valid JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"null", "the body must be a JSON object"),
        (b'"{}"', "the body must be a JSON object"),
        (b"", "items required"),
        (b'{"items": 1e999}', "the body is not valid JSON"),
    ],
)
def test_a_body_that_is_no_order_is_refused(client: FlaskClient, body: bytes, error: str) -> None:
    document = problem(client.post("/orders", data=body, headers=ALICE | JSON), 400)
    assert document["error"].startswith(error)


def test_a_body_of_another_type_is_415(client: FlaskClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        document = problem(client.post("/orders", data=b"{}", headers=ALICE | {"Content-Type": kind}), 415)
        assert document["code"] == "unsupported_media_type"


def test_a_body_over_64_kib_is_413(client: FlaskClient) -> None:
    document = problem(client.post("/orders", data=b'{"items":"' + b"x" * 65536 + b'"}', headers=ALICE | JSON), 413)
    assert document["code"] == "body_too_large"


def test_an_unknown_url_and_a_wrong_method_have_the_same_shape(client: FlaskClient) -> None:
    assert problem(client.get("/nothing/here"), 404)["code"] == "not_found"
    answer = client.delete("/orders", headers=ALICE)
    assert problem(answer, 405)["code"] == "method_not_allowed"
    assert "POST" in answer.headers["Allow"]


def expired() -> str:
    return DemoTokens((LOCAL_SECRET,), 1).sign(Caller("u", "n", "s"))


def token(**changes: str) -> str:
    made = {"secret": LOCAL_SECRET, "salt": "user-auth"} | changes
    serializer = URLSafeTimedSerializer(made["secret"], salt=made["salt"])
    return str(serializer.dumps({"sub": "u-alice", "username": "alice", "sid": "s-1"}))


GENUINE = ALICE["Authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize(("method", "url"), PROTECTED)
def test_no_token_no_entry_whatever_else_is_wrong(client: FlaskClient, method: str, url: str) -> None:
    for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}):
        answer = client.open(url, method=method, headers=headers)
        document = problem(answer, 401)
        assert document["error"] == "missing bearer token"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(token(secret="x" * 40), id="other key"),
        pytest.param(token(salt="other"), id="wrong salt"),
        pytest.param(GENUINE[:-1], id="truncated"),
        pytest.param(GENUINE.replace(".", "", 1), id="without its parts"),
        pytest.param("A" + GENUINE[1:], id="tampered"),
        pytest.param("x", id="garbage"),
        pytest.param("é", id="not ascii"),
        pytest.param("x" * 5000, id="huge"),
    ],
)
def test_a_token_that_we_did_not_sign_is_refused(client: FlaskClient, forged: str) -> None:
    answer = client.get("/orders", headers={"Authorization": f"Bearer {forged}"})
    assert problem(answer, 401)["error"] == "invalid token"
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_an_older_key_still_verifies_and_an_unknown_one_does_not(settings: Settings) -> None:
    with closing(create_app(settings.model_copy(update={"token_secrets": ("n" * 40, LOCAL_SECRET)}))) as rotated:
        client = rotated.test_client()
        assert client.get("/orders", headers=ALICE).status_code == 200
        assert client.get("/orders", headers=bearer(secret="n" * 40)).status_code == 200
        assert client.get("/orders", headers=bearer(secret="o" * 40)).status_code == 401


def test_nothing_of_a_refused_request_is_stored(
    client: FlaskClient, stock: Callable[..., None], left: Callable[[str], int]
) -> None:
    stock(p1=5)
    client.post("/orders", json={"items": [{"product_id": "p1"}], "status": "cancelled"}, headers=ALICE)
    client.post("/orders", json={"items": [{"product_id": "p1"}]})
    assert left("p1") == 5
    assert client.get("/orders", headers=ALICE).json == []
