"""Access to other users' data, and use of tokens for other purposes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from .conftest import PASSWORD, Headers, send
from .documents import Operation, operations

EVERY = operations()
SIGNED_IN = {
    ("user-service", "/logout"),
    ("user-service", "/sessions"),
    ("user-service", "/sessions/{session_id}"),
    ("user-service", "/profile"),
    ("user-service", "/profile/password"),
    ("user-service", "/profile/export"),
    ("order-service", "/orders"),
    ("order-service", "/create_order"),
    ("order-service", "/orders/export"),
    ("order-service", "/orders/{order_id}"),
    ("order-service", "/orders/{order_id}/cancel"),
}
DOORS = [it for it in EVERY if (it.service, it.path) in SIGNED_IN]
LINE = {"items": [{"product_id": "p1"}]}


@pytest.fixture
def alices(apps: dict[str, Flask], sign_up: Callable[..., Headers]) -> dict[str, Any]:
    """Return Alice's headers, her order with an idempotency key, and the ids of order and session."""
    who = sign_up("alice")
    order = apps["order-service"].test_client().post("/orders", json=LINE, headers={**who, "Idempotency-Key": "key-1"})
    sessions: Any = apps["user-service"].test_client().get("/sessions", headers=who).json
    assert order.json is not None
    return {"who": who, "order": order, "order_id": order.json["order_id"], "session_id": sessions[0]["id"]}


def test_attacked_routes_are_all_routes_of_the_documents() -> None:
    assert {(it.service, it.path) for it in DOORS} == SIGNED_IN


@pytest.mark.parametrize("operation", [it for it in DOORS if "{" in it.path], ids=lambda it: it.name)
def test_other_users_id_gets_404_and_changes_nothing(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], alices: dict[str, Any], operation: Operation
) -> None:
    mallory = sign_up("mallory")
    made_up = {"order_id": "o-" + "0" * 32, "session_id": "s-" + "0" * 32}
    answers = []
    for ids in (alices, made_up):
        path = operation.path.format(order_id=ids["order_id"], session_id=ids["session_id"])
        answers.append(send(apps, operation, mallory, path=path))
    assert [answer.status_code for answer in answers] == [404, 404]
    told, made = ({**answer.json, "request_id": ""} for answer in answers)
    assert told == made
    client = apps["order-service"].test_client()
    mine = client.get(f"/orders/{alices['order_id']}", headers=alices["who"])
    assert mine.get_data() == alices["order"].get_data()
    assert apps["user-service"].test_client().get("/profile", headers=alices["who"]).status_code == 200


@pytest.mark.parametrize("path", ["/orders", "/create_order"])
def test_other_users_idempotency_key_returns_none_of_their_data(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], alices: dict[str, Any], path: str
) -> None:
    client = apps["order-service"].test_client()
    mallory = sign_up("mallory")
    for body in (LINE, {"items": [{"product_id": "p1", "qty": 2}]}):
        headers = {**mallory, "Idempotency-Key": "key-1"}
        answer: Any = client.post(path, json=body, headers=headers)
        assert "Idempotent-Replayed" not in answer.headers
        assert alices["order_id"] not in answer.text
    listed: Any = client.get("/orders", headers=mallory).json
    assert [order["user"] for order in listed] == ["mallory"]


def test_cursor_of_another_users_list_shows_none_of_its_items(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], alices: dict[str, Any]
) -> None:
    client = apps["order-service"].test_client()
    client.post("/orders", json=LINE, headers=alices["who"])
    link = client.get("/orders?limit=1", headers=alices["who"]).headers["Link"]
    after = link.partition("after=")[2].partition(">")[0].partition("&")[0]
    answer = client.get(f"/orders?after={after}", headers=sign_up("mallory"))
    assert (answer.status_code, answer.json) == (200, [])


def test_other_users_etag_is_not_answered_304(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], alices: dict[str, Any]
) -> None:
    client = apps["order-service"].test_client()
    path = f"/orders/{alices['order_id']}"
    etag = client.get(path, headers=alices["who"]).headers["ETag"]
    assert client.get(path, headers={**sign_up("mallory"), "If-None-Match": etag}).status_code == 404


@pytest.fixture
def shown_elsewhere(sign_up: Callable[..., Headers]) -> list[tuple[Headers, dict[str, Any]]]:
    """Return requests with a valid token outside of `Authorization: Bearer`."""
    token = sign_up()["Authorization"].partition(" ")[2]
    return [
        ({}, {"query_string": {"access_token": token, "token": token}}),
        ({"Cookie": f"token={token}; access_token={token}; session={token}"}, {}),
        ({}, {"json": {"token": token, "access_token": token}}),
        ({}, {"data": {"access_token": token}}),
        ({"X-Authorization": f"Bearer {token}", "X-Access-Token": token, "Proxy-Authorization": f"Bearer {token}"}, {}),
        ({"Authorization": f"Basic {base64.b64encode(f'mallory:{token}'.encode()).decode()}"}, {}),
        ({"Authorization": token}, {}),
    ]


def test_token_outside_the_authorization_header_is_ignored(
    apps: dict[str, Flask], shown_elsewhere: list[tuple[Headers, dict[str, Any]]]
) -> None:
    for operation in DOORS:
        for headers, how in shown_elsewhere:
            answer = send(apps, operation, headers, **how)
            assert (answer.status_code, answer.json["code"]) == (401, "missing_token"), (operation, headers, how)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_refresh_and_access_tokens_are_not_interchangeable(
    apps: dict[str, Flask], sign_up: Callable[[], Headers]
) -> None:
    access = sign_up()
    client = apps["user-service"].test_client()
    tokens: Any = client.post("/login", json={"username": "mallory", "password": PASSWORD}).json
    refresh = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    assert client.get("/profile", headers=refresh).status_code == 401
    assert apps["order-service"].test_client().get("/orders", headers=refresh).status_code == 401
    swapped = {"refresh_token": access["Authorization"].partition(" ")[2][:256]}
    assert client.post("/token/refresh", json=swapped).status_code == 401


def test_changed_claims_with_an_old_signature_are_refused(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], alices: dict[str, Any]
) -> None:
    """Combine another user's claims with the signature of the own token."""
    own = sign_up("mallory")["Authorization"].rsplit(".", 2)[1:]
    hers = alices["who"]["Authorization"].rsplit(".", 2)[0]
    for operation in DOORS:
        answer = send(apps, operation, {"Authorization": ".".join([hers, *own])}, json=operation.body)
        assert (answer.status_code, answer.json["code"]) == (401, "invalid_token"), operation
