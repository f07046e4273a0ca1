from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from flask.testing import FlaskClient

from chassis.testing.http import bearer, closing
from order_service import create_app
from order_service.settings import Settings

ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")


def test_repeated_key_and_body_get_the_identical_stored_response(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], left: Callable[[str], int]
) -> None:
    stock(p1=5)
    first, again = place(key="k-1", p1=2), place(key="k-1", p1=2)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert left("p1") == 3


def test_replay_returns_the_original_after_cancel_and_restart(
    client: FlaskClient, stock: Callable[..., None], place: Callable[..., Any], settings: Settings
) -> None:
    stock(p1=5)
    first = place(key="k-1", p1=2)
    client.post(f"{first.headers['Location']}/cancel", headers=ALICE)
    body = {"items": [{"product_id": "p1", "qty": 2}]}
    with closing(create_app(settings)) as restarted:
        again = restarted.test_client().post("/orders", json=body, headers=ALICE | {"Idempotency-Key": "k-1"})
    assert again.data == first.data


def test_replay_locks_nothing(stock: Callable[..., None], place: Callable[..., Any], settings: Settings) -> None:
    stock(p1=5, p2=5)
    first = place(key="k-1", p1=1)
    with psycopg.connect(settings.database_url) as busy:
        busy.execute("SELECT FROM products FOR UPDATE")
        again, other_basket = place(key="k-1", p1=1), place(key="k-1", p2=1)
    assert (again.status_code, again.data) == (201, first.data)
    assert (other_basket.status_code, other_basket.json["code"]) == (422, "idempotency_key_reused")


def test_repeated_key_gets_409_while_the_first_request_is_in_flight(
    stock: Callable[..., None], place: Callable[..., Any], settings: Settings, left: Callable[[str], int]
) -> None:
    stock(p1=5)
    with psycopg.connect(settings.database_url) as twin:
        twin.execute("SELECT FROM products WHERE id = 'p1' FOR UPDATE")  # as far as a twin in flight has come
        answer = place(key="k-1", p1=1)
        twin.rollback()
    assert (answer.status_code, answer.json["code"]) == (409, "request_in_flight")
    assert answer.headers["Retry-After"] == "1"
    assert place(key="k-1", p1=1).status_code == 201
    assert left("p1") == 4
