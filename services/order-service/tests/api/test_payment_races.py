"""Payments, cancellations and expiry at the same time, on one PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from scripted_provider import ScriptedProvider, assert_money_adds_up, event

from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service import jobs
from order_service.settings import Settings

ALICE = bearer("u-alice", "alice")
ROUNDS = 15


@pytest.fixture(autouse=True)
def _balanced(app: Any, db: Database, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(app.services, "terms", app.services.terms._replace(most_unpaid_orders=100))
    yield
    assert_money_adds_up(db, provider)


@pytest.fixture
def order(stock: Any, place: Any) -> Callable[[], str]:
    """Return a function that places an order of 10.00 EUR and returns its URL."""
    stock(p1=1000)
    return lambda: str(place(p1=1).headers["Location"])


def post(app: Flask, url: str) -> Any:
    return app.test_client().post(url, headers=ALICE)


def tell(app: Flask, page: str, state: Any, event_id: str = "") -> Any:
    return app.test_client().post("/payments/test/events", **event(page, state, event_id=event_id))


def together(*acts: Callable[[], Any]) -> list[Any]:
    """Call all functions at once, each in its thread."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def open_page(app: Flask, url: str) -> str:
    return str(post(app, f"{url}/payment").json["url"].rpartition("/")[2])


def count(db: Database, table: str) -> int:
    return int(db.fetch_one(f"SELECT count(*) AS rows FROM {table}").rows)


def test_two_requests_at_once_open_one_page(app: Flask, db: Database, provider: ScriptedProvider, order: Any) -> None:
    for number in range(1, ROUNDS + 1):
        url = order()
        answers = together(*[lambda url=url: post(app, f"{url}/payment")] * 2)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json == answers[1].json
        assert (count(db, "payments"), len(provider.pages)) == (number, number)


def test_only_two_threads_wait_for_a_slow_provider(app: Flask, provider: ScriptedProvider, order: Any) -> None:
    answered, waiting, urls = threading.Event(), threading.Semaphore(0), [order() for _ in range(5)]
    opened = provider.open

    def slow(payment: Any) -> Any:
        waiting.release()
        assert answered.wait(60)
        return opened(payment)

    provider.open = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        first = [pool.submit(post, app, f"{url}/payment") for url in urls[:2]]
        assert waiting.acquire(timeout=60)
        assert waiting.acquire(timeout=60)
        refused = [post(app, f"{url}/payment") for url in urls[2:]]
        answered.set()
        assert [answer.result().status_code for answer in first] == [200, 200]
    assert [answer.status_code for answer in refused] == [503] * 3
    assert {answer.json["code"] for answer in refused} == {"payment_unavailable"}
    assert [post(app, f"{url}/payment").status_code for url in urls] == [200] * 5


def test_same_event_many_times_at_once_pays_once(
    app: Flask, db: Database, provider: ScriptedProvider, order: Any
) -> None:
    for number in range(1, ROUNDS + 1):
        page = open_page(app, order())
        paid = provider.pay(page)
        answers = together(*[lambda page=page, paid=paid: tell(app, page, paid)] * 4)
        assert Counter(answer.json["outcome"] for answer in answers) == {"accepted": 1, "repeated": 3}
        assert db.fetch_one("SELECT count(*) AS n FROM order_events WHERE type = 'order.paid'").n == number


def test_different_events_of_one_page_at_once_pay_once(app: Flask, provider: ScriptedProvider, order: Any) -> None:
    for _ in range(ROUNDS):
        page = open_page(app, order())
        paid = provider.pay(page)
        answers = together(*[lambda n=n: tell(app, page, paid, f"{page}-{n}") for n in range(4)])  # noqa: B023
        assert Counter(answer.json["outcome"] for answer in answers) == {"accepted": 1, "unchanged": 3}


def test_cancellation_and_payment_at_once_lose_no_money(
    app: Flask, db: Database, provider: ScriptedProvider, order: Any, work: Any
) -> None:
    for _ in range(ROUNDS):
        url = order()
        page = open_page(app, url)
        paid = provider.pay(page)
        cancelled, told = together(
            lambda url=url: post(app, f"{url}/cancel"),
            lambda page=page, paid=paid: tell(app, page, paid),
        )
        assert (cancelled.status_code, told.status_code) == (200, 200)
        assert told.json["outcome"] in {"accepted", "late"}
        work()
        assert provider.refunded(page) == 1000
    assert {row.status for row in db.fetch_all("SELECT status FROM refunds")} == {"done"}
    assert count(db, "refunds") == ROUNDS


def test_expiry_and_payment_at_once_end_in_one_of_both(
    app: Flask, db: Database, provider: ScriptedProvider, order: Any, work: Any
) -> None:
    for _ in range(ROUNDS):
        page = open_page(app, order())
        with db.transaction("end_window") as connection:
            connection.execute("UPDATE orders SET pay_until = now() - interval '1 second' WHERE status = 'placed'")
        paying = lambda page=page: tell(app, page, provider.pay(page))  # noqa: E731
        together(paying, lambda: jobs.expire_orders(app.services))
        jobs.expire_orders(app.services)
        work()
        last = db.fetch_one("SELECT status, payment_status, paid_minor FROM orders ORDER BY id DESC LIMIT 1")
        assert tuple(last) in {("placed", "paid", 1000), ("cancelled", "failed", 0)}
        kept = provider.pages[page].get("amount", 0) - provider.refunded(page)
        assert kept == last.paid_minor


def test_cancellation_that_waited_for_a_payment_refunds_it(
    *, app: Flask, settings: Settings, db: Database, provider: ScriptedProvider, order: Any, work: Any
) -> None:
    url = order()
    page = open_page(app, url)
    paid = provider.pay(page)
    answer = after_both_wait(app, settings, db, lambda: tell(app, page, paid), lambda: post(app, f"{url}/cancel"))
    assert [each.status_code for each in answer] == [200, 200]
    assert answer[0].json["outcome"] == "accepted"
    work()
    assert (provider.refunded(page), count(db, "refunds")) == (1000, 1)


def test_cancellation_that_waited_for_a_new_page_closes_it(
    *, app: Flask, settings: Settings, db: Database, provider: ScriptedProvider, order: Any, work: Any
) -> None:
    url = order()
    opened, cancelled = after_both_wait(
        app, settings, db, lambda: post(app, f"{url}/payment"), lambda: post(app, f"{url}/cancel")
    )
    assert (opened.status_code in {200, 409}, cancelled.status_code) == (True, 200)
    work()
    assert {page["status"] for page in provider.pages.values()} <= {"expired"}
    assert [row.status for row in db.fetch_all("SELECT status FROM payments")] == ["expired"]


def test_cancellation_that_waited_for_a_refund_returns_the_rest(
    settings: Settings, app: Flask, db: Database, order: Any, left: Callable[[str], int]
) -> None:
    url = order()
    assert left("p1") == 999
    with psycopg.connect(settings.database_url) as refunding, ThreadPoolExecutor(1) as pool:
        refunding.execute("SELECT FROM orders FOR UPDATE")
        refunding.execute("UPDATE order_lines SET refunded_qty = 1")  # without restocking
        cancelled = pool.submit(post, app, f"{url}/cancel")
        wait_for_locks(db, 1)
        refunding.commit()
        assert cancelled.result().status_code == 200
    assert left("p1") == 999


def after_both_wait(app: Flask, settings: Settings, db: Database, *acts: Callable[[], Any]) -> list[Any]:
    """Let each function wait for the lock of all orders, one after the other, and then go on in this order."""
    with psycopg.connect(settings.database_url) as locking, ThreadPoolExecutor(len(acts)) as pool:
        locking.execute("SELECT FROM orders FOR UPDATE")
        started = []
        for number, act in enumerate(acts, 1):
            started.append(pool.submit(act))
            wait_for_locks(db, number)
        locking.commit()
        return [future.result() for future in started]


def wait_for_locks(db: Database, number: int) -> None:
    waiting = """SELECT count(*) AS n FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()"""
    while db.fetch_one(waiting).n < number:
        pass
