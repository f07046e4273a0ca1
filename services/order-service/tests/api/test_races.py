"""Races of threads on one PostgreSQL; for races of server processes see tests/e2e."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask

from chassis.db import batching
from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service.settings import Settings

ALICE = bearer("u-alice", "alice")


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limits: the tests use more threads than a server, perhaps on a busy machine."""
    monkeypatch.setattr(batching, "BRIEF_SECONDS", 60)


def all_at_once(app: Flask, requests: list[tuple[str, dict[str, str], Any]]) -> list[Any]:
    def send(request: tuple[str, dict[str, str], Any]) -> Any:
        url, headers, body = request
        return app.test_client().post(url, json=body, headers=headers)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, requests))


def items(*lines: tuple[str, int]) -> dict[str, Any]:
    return {"items": [{"product_id": product_id, "qty": qty} for product_id, qty in lines]}


def test_orders_for_the_same_products_in_opposite_order_never_deadlock(
    app: Flask, stock: Callable[..., None], left: Callable[[str], int]
) -> None:
    stock(p1=1000, p2=1000, p3=1000)
    there, back = items(("p1", 1), ("p2", 1), ("p3", 1)), items(("p3", 1), ("p2", 1), ("p1", 1))
    answers = all_at_once(app, [("/orders", ALICE, there), ("/orders", ALICE, back)] * 20)
    assert {answer.status_code for answer in answers} == {201}
    assert (left("p1"), left("p2"), left("p3")) == (960, 960, 960)


def test_racing_keys_with_exchanged_baskets_never_deadlock(
    app: Flask, stock: Callable[..., None], left: Callable[[str], int], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(p1=1000, p2=1000)
    refused: list[object] = []
    run_each = db._run_each
    monkeypatch.setattr(db, "_run_each", lambda calls: refused.append(calls) or run_each(calls))
    for attempt in range(5):
        keys = [f"k-{attempt}-{number}" for number in range(12)]
        there = [("/orders", ALICE | {"Idempotency-Key": key}, items(("p1", 1))) for key in keys]
        back = [("/orders", ALICE | {"Idempotency-Key": key}, items(("p2", 1))) for key in reversed(keys)]
        answers = all_at_once(app, [request for pair in zip(there, back, strict=True) for request in pair])
        assert Counter(answer.status_code for answer in answers) == {201: 12, 422: 12}
    assert refused == []  # a batch that a deadlock ended runs each order again
    assert left("p1") + left("p2") == 2000 - 60


def test_racing_cancels_restore_the_stock_once(
    app: Flask, stock: Callable[..., None], place: Callable[..., Any], left: Callable[[str], int]
) -> None:
    stock(p1=10)
    location = place(p1=3).headers["Location"]
    answers = all_at_once(app, [(f"{location}/cancel", ALICE, None)] * 16)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 15}
    assert left("p1") == 10


def test_concurrent_orders_cancels_and_imports_keep_the_stock_correct(
    app: Flask, stock: Callable[..., None], place: Callable[..., Any], left: Callable[[str], int]
) -> None:
    stock(p1=500, p2=500)
    locations = [place(p1=1, p2=1).headers["Location"] for _ in range(10)]
    cancels = [(f"{location}/cancel", ALICE, None) for location in locations]
    orders = [("/orders", ALICE, items(("p2", 1), ("p1", 1)))] * 30
    answers = all_at_once(app, [*cancels, *orders])
    assert Counter(answer.status_code for answer in answers) == {200: 10, 201: 30}
    assert (left("p1"), left("p2")) == (470, 470)


def test_waiting_order_gets_the_stock_of_a_concurrent_cancel(
    app: Flask, settings: Settings, stock: Callable[..., None], left: Callable[[str], int], db: Database
) -> None:
    stock(p1=0)
    with psycopg.connect(settings.database_url) as returning, ThreadPoolExecutor(1) as pool:
        returning.execute("UPDATE products SET stock = 5 WHERE id = 'p1'")
        answer = pool.submit(lambda: app.test_client().post("/orders", json=items(("p1", 2)), headers=ALICE))
        wait_for_a_lock(db)
        returning.commit()
        assert answer.result().status_code == 201
    assert left("p1") == 3


def wait_for_a_lock(db: Database) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while db.fetch_one(waiting) is None:
        pass
