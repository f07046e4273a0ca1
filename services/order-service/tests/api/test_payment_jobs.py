"""Orders that are not paid in time, and events that were lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from scripted_provider import ScriptedProvider, assert_money_adds_up, event

from chassis.db.database import Database
from chassis.testing.http import bearer
from order_service import jobs
from order_service.payments import closing
from order_service.payments.hosted import AnotherProvider
from order_service.services import Services

ALICE = bearer("u-alice", "alice")
ORDERS = "SELECT status, payment_status, paid_minor FROM orders ORDER BY id"
PAYMENTS = "SELECT status, provider_id, ask_at - now() AS pause FROM payments ORDER BY id"


class Shop:
    """Orders of one unit each that wait for their payment, and the jobs of the worker."""

    def __init__(self, client: FlaskClient, services: Services, provider: ScriptedProvider, place: Any) -> None:
        self.client, self.services, self.provider, self._place = client, services, provider, place
        self.db: Database = services.database

    def place(self) -> str:
        answer = self._place(p1=1)
        assert answer.status_code == 201, answer.text
        return str(answer.json["order_id"])

    def open(self, order_id: str) -> Any:
        return self.client.post(f"/orders/{order_id}/payment", headers=ALICE)

    def end_window(self) -> None:
        self._write("UPDATE orders SET pay_until = now() - interval '1 second'")

    def age(self, minutes: int) -> None:
        """Let payments be so old, and their next question be due."""
        self._write(f"UPDATE payments SET ask_at = now(), created_at = now() - interval '{minutes} minutes'")

    def _write(self, statement: str) -> None:
        with self.db.transaction("prepare") as connection:
            connection.execute(statement)

    def expire(self) -> None:
        jobs.expire_orders(self.services)

    def ask(self) -> None:
        jobs.ask_about_payments(self.services)

    def orders(self) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.db.fetch_all(ORDERS)]

    def payments(self) -> list[str]:
        return [row.status for row in self.db.fetch_all(PAYMENTS)]


@pytest.fixture
def shop(client: FlaskClient, app: Any, provider: ScriptedProvider, stock: Any, place: Any) -> Any:
    stock(p1=5)
    yield Shop(client, app.services, provider, place)
    assert_money_adds_up(app.services.database, provider)


EXPIRED, PAID, WAITING = ("cancelled", "failed", 0), ("placed", "paid", 1000), ("placed", "pending", 0)


def test_unpaid_order_expires_and_returns_its_stock(shop: Shop, left: Callable[[str], int]) -> None:
    shop.place()
    shop.expire()
    assert (shop.orders(), left("p1")) == ([WAITING], 4)
    shop.end_window()
    shop.expire()
    assert (shop.orders(), left("p1"), shop.provider.calls) == ([EXPIRED], 5, [])
    types = [row.type for row in shop.db.fetch_all("SELECT type FROM order_events ORDER BY xid, id")]
    assert types == ["order.placed", "order.cancelled"]


def test_page_of_an_expiring_order_is_closed_at_the_provider_first(shop: Shop) -> None:
    shop.open(shop.place())
    shop.end_window()
    shop.provider.before["expire"] = lambda _: before.extend(shop.orders())
    before: list[Any] = []
    shop.expire()
    assert (before, shop.orders()) == ([WAITING], [EXPIRED])
    assert (shop.provider.pages["page-1"]["status"], shop.payments()) == ("expired", ["expired"])


def test_order_that_was_paid_meanwhile_stays(shop: Shop, left: Callable[[str], int]) -> None:
    shop.open(shop.place())
    shop.end_window()
    shop.provider.before["expire"] = shop.provider.pay
    shop.expire()
    assert (shop.orders(), shop.payments(), left("p1")) == ([PAID], ["paid"], 4)
    shop.expire()
    assert shop.orders() == [PAID]


def test_event_that_arrives_while_the_order_expires_counts(shop: Shop) -> None:
    shop.open(shop.place())
    shop.end_window()

    def pay_and_tell(page: str) -> None:
        told = event(page, shop.provider.pay(page))
        assert shop.client.post("/payments/test/events", **told).json == {"outcome": "accepted"}

    shop.provider.before["expire"] = pay_and_tell
    shop.expire()
    assert (shop.orders(), shop.payments()) == ([PAID], ["paid"])


def test_page_that_a_crash_left_unknown_is_opened_again_and_closed(shop: Shop) -> None:
    order_id = shop.place()
    shop.provider.lost = {"open"}
    assert shop.open(order_id).status_code == 503
    shop.provider.lost = set()
    shop.end_window()
    shop.expire()
    assert (shop.provider.calls, list(shop.provider.pages)) == (["open", "open", "expire"], ["page-1"])
    assert (shop.orders(), shop.provider.pages["page-1"]["status"]) == ([EXPIRED], "expired")


def test_provider_that_is_away_holds_up_only_orders_with_a_page(shop: Shop) -> None:
    shop.open(shop.place())
    shop.place()
    shop.end_window()
    shop.provider.away = {"expire"}
    shop.expire()
    assert shop.orders() == [WAITING, EXPIRED]
    shop.provider.away = set()
    shop.expire()
    assert shop.orders() == [EXPIRED, EXPIRED]


def test_answer_that_was_lost_while_closing_is_asked_for_again(shop: Shop) -> None:
    shop.open(shop.place())
    shop.end_window()
    shop.provider.lost = {"expire"}
    shop.expire()
    assert (shop.orders(), shop.provider.pages["page-1"]["status"]) == ([WAITING], "expired")
    shop.provider.lost = set()
    shop.expire()
    assert shop.orders() == [EXPIRED]


def test_page_that_stays_open_keeps_its_order(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.open(shop.place())
    shop.end_window()
    monkeypatch.setattr(shop.provider, "expire", shop.provider.state)
    shop.expire()
    assert (shop.orders(), shop.payments()) == ([WAITING], ["open"])


def test_one_broken_order_does_not_keep_the_others_from_expiring(shop: Shop) -> None:
    for _ in range(3):
        shop.open(shop.place())
    shop.end_window()
    broken = iter([False, True, False])
    expire = shop.provider.expire

    def fail_once(page: str) -> Any:
        if next(broken):
            raise ZeroDivisionError
        return expire(page)

    shop.provider.expire = fail_once  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        shop.expire()
    assert sorted(shop.orders()) == [EXPIRED, EXPIRED, WAITING]


def test_run_that_takes_long_leaves_the_rest_to_the_next(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        shop.place()
    shop.end_window()
    monkeypatch.setattr(closing, "RUN_SECONDS", -1)
    shop.expire()
    assert sorted(shop.orders()) == [EXPIRED, WAITING, WAITING]


def test_page_of_another_provider_keeps_its_order_and_fails_the_job(shop: Shop) -> None:
    shop.open(shop.place())
    shop.place()
    shop.end_window()
    shop.services.payments.name = "stripe"  # type: ignore[union-attr]
    with pytest.raises(AnotherProvider):
        shop.expire()
    assert shop.orders() == [WAITING, EXPIRED]


def test_closing_job_closes_the_page_of_a_cancelled_order(shop: Shop, work: Callable[[], None]) -> None:
    order_id = shop.place()
    shop.open(order_id)
    shop.client.post(f"/orders/{order_id}/cancel", headers=ALICE)
    shop.provider.away = {"expire"}
    with pytest.raises(Exception, match="away"):
        work()
    shop.provider.away = set()
    work()
    assert (shop.payments(), shop.provider.pages["page-1"]["status"]) == (["expired"], "expired")


def test_closing_job_refunds_what_was_paid_in_time_for_nothing(shop: Shop, work: Callable[[], None]) -> None:
    order_id = shop.place()
    shop.open(order_id)
    shop.provider.pay("page-1")
    shop.client.post(f"/orders/{order_id}/cancel", headers=ALICE)
    work()
    assert (shop.orders(), shop.payments()) == ([EXPIRED], ["paid"])
    assert shop.provider.refunded("page-1") == 1000


def test_lost_event_is_found_by_asking(shop: Shop) -> None:
    shop.open(shop.place())
    shop.provider.pay("page-1")
    shop.ask()
    assert shop.orders() == [WAITING]  # not due yet: the event may be on its way
    shop.age(minutes=2)
    shop.ask()
    assert (shop.orders(), shop.payments()) == ([PAID], ["paid"])
    shop.age(minutes=3)
    shop.ask()
    assert shop.provider.calls.count("state") == 1


@pytest.mark.parametrize(("age", "pause"), [(0, 2), (2, 2), (4, 4), (40, 40), (60, 60), (600, 60)])
def test_pauses_between_questions_grow_to_an_hour(shop: Shop, age: int, pause: int) -> None:
    shop.open(shop.place())
    shop.age(minutes=age)
    shop.ask()
    assert shop.provider.calls == ["open", "state"]
    assert shop.db.fetch_one(PAYMENTS).pause.total_seconds() == pytest.approx(pause * 60, abs=20)


def test_asking_opens_a_page_again_that_a_crash_left_unknown(shop: Shop) -> None:
    order_id = shop.place()
    shop.provider.lost = {"open"}
    shop.open(order_id)
    shop.provider.lost = set()
    shop.age(minutes=2)
    shop.ask()
    assert (shop.payments(), list(shop.provider.pages)) == (["open"], ["page-1"])


def test_asking_goes_on_with_others_when_the_provider_is_away(shop: Shop) -> None:
    for _ in range(2):
        shop.open(shop.place())
    shop.age(minutes=2)
    shop.provider.away = {"state"}
    shop.ask()
    assert shop.provider.calls.count("state") == 2


def test_asking_closes_the_page_of_an_order_that_no_longer_waits(shop: Shop) -> None:
    order_id = shop.place()
    shop.open(order_id)
    shop.client.post(f"/orders/{order_id}/cancel", headers=ALICE)
    shop.age(minutes=2)  # the job that closes it was lost
    shop.ask()
    assert (shop.payments(), shop.provider.pages["page-1"]["status"]) == (["expired"], "expired")
