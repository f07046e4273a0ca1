"""Members that only the server may set are refused and change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from .conftest import Headers, rows, send
from .documents import Operation, Place, at, changed, operations

NOT_THE_CLIENTS = {
    "role": "admin",
    "id": "u-somebody",
    "price": 0.01,
    "unit_price": 0,
    "user": "alice",
    "user_id": "u-alice",
    "buyer_id": "u-alice",
    "status": "cancelled",
    "total": 0,
    "currency": "JPY",
    "password_hash": "$argon2id$",
    "deleted_at": None,
    "__proto__": {"role": "admin"},
}
EVERY = operations()


def objects() -> list[Any]:
    return [
        pytest.param(operation, place, id=f"{operation.name} {'.'.join(map(str, place)) or '(body)'}")
        for operation in EVERY
        for place in operation.objects
    ]


@pytest.mark.parametrize(("operation", "place"), objects())
def test_server_controlled_member_is_refused_by_name(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], operation: Operation, place: Place
) -> None:
    who = sign_up(is_staff=operation.for_staff)
    before = {service: rows(app) for service, app in apps.items()}
    for member in NOT_THE_CLIENTS.keys() - at(operation.body, place).keys():
        value = NOT_THE_CLIENTS[member]
        body = changed(operation.body, place, {**at(operation.body, place), member: value})
        answer = send(apps, operation, who, json=body)
        assert answer.status_code == 400, (member, answer.text)
        assert [fault["member"] for fault in answer.json["errors"]] == [".".join(map(str, (*place, member)))]
    assert {service: rows(app) for service, app in apps.items()} == before


@pytest.mark.parametrize("operation", [it for it in EVERY if it.body is None], ids=lambda it: it.name)
def test_extra_input_does_not_change_the_caller(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], operation: Operation
) -> None:
    # given Alice's order and session
    alice, mallory = sign_up("alice"), sign_up("mallory")
    orders, users = apps["order-service"].test_client(), apps["user-service"].test_client()
    placed: Any = orders.post("/orders", json={"items": [{"product_id": "p1"}]}, headers=alice)
    alice_id = users.get("/profile", headers=alice).json["id"]  # type: ignore[index]
    # when Mallory names her in the query and in a body
    claim = {"user_id": alice_id, "user": "alice", "status": "cancelled"}
    answers = [
        send(apps, operation, mallory, query_string=claim),
        send(apps, operation, sign_up("mallory"), json=claim),
    ]
    # then her data is neither shown nor changed
    for answer in answers:
        assert answer.status_code < 500
        assert placed.json["order_id"] not in answer.text
        assert alice_id not in answer.text
    assert orders.get(f"/orders/{placed.json['order_id']}", headers=alice).get_data() == placed.get_data()
    assert len(users.get("/sessions", headers=alice).json) == 1  # type: ignore[arg-type]
