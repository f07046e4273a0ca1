"""Open payment pages, and apply the provider's events in every order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from order_states import SAM
from prometheus_client import REGISTRY
from scripted_provider import SIGNED, ScriptedProvider, assert_money_adds_up, event

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import bearer, browser
from order_service.payments import actions
from order_service.payments.provider import RefundState, State
from order_service.payments.refunding import RefundPending

ALICE, BOB = bearer("u-alice", "alice"), bearer("u-bob", "bob")
PAYMENTS = "SELECT * FROM payments ORDER BY id"
REFUNDS = "SELECT reason, amount_minor, currency, status FROM refunds ORDER BY id"


class Shop:
    """Alice's order of 20.00 EUR that waits for its payment, and what happens to it."""

    def __init__(self, client: FlaskClient, db: Database, provider: ScriptedProvider, order_id: str) -> None:
        self.client, self.db, self.provider, self.order_id = client, db, provider, order_id

    def open(self, who: dict[str, str] = ALICE) -> Any:
        return self.client.post(f"/orders/{self.order_id}/payment", headers=who)

    def page(self) -> str:
        """Open a page and return the provider's id of it."""
        answer = self.open()
        assert answer.status_code == 200, answer.text
        return str(answer.json["url"].rpartition("/")[2])  # type: ignore[index]

    def paid(self) -> str:
        """Open a page, pay on it, and return its id."""
        page = self.page()
        assert self.tell(page, self.provider.pay(page)) == "accepted"
        return page

    def tell(self, page_id: str | None, state: State | None, **options: str) -> str:
        answer = self.client.post("/payments/test/events", **event(page_id, state, **options))
        assert answer.status_code == 200, answer.text
        return str(answer.json["outcome"])  # type: ignore[index]

    def cancel(self) -> int:
        return self.client.post(f"/orders/{self.order_id}/cancel", headers=ALICE).status_code

    def status(self) -> tuple[str, str, float, float]:
        order: Any = self.client.get(f"/orders/{self.order_id}", headers=ALICE).json
        return order["status"], order["payment"]["status"], order["payment"]["paid"], order["payment"]["refunded"]

    def events(self) -> list[tuple[str, int | None]]:
        rows = self.db.fetch_all("SELECT type, amount_minor FROM order_events ORDER BY xid, id")
        return [tuple(row) for row in rows]

    def seen_by_staff(self) -> Any:
        return self.client.get(f"/admin/orders/{self.order_id}", headers=SAM).json

    def refunds(self) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.db.fetch_all(REFUNDS)]

    def jobs(self) -> list[str]:
        return [row.task_name for row in self.db.fetch_all("SELECT task_name FROM procrastinate_jobs ORDER BY id")]


@pytest.fixture
def shop(client: FlaskClient, db: Database, provider: ScriptedProvider, stock: Any, place: Any) -> Any:
    stock(p1=5)
    answer = place(p1=2)
    assert answer.status_code == 201, answer.text
    shop = Shop(client, db, provider, answer.json["order_id"])
    yield shop
    assert_money_adds_up(db, provider)


def test_open_page_has_amount_number_and_end_of_the_order(shop: Shop) -> None:
    answer = shop.open()
    order: Any = shop.client.get(f"/orders/{shop.order_id}", headers=ALICE).json
    assert (answer.status_code, answer.json["url"]) == (200, "https://pay.example/page-1")
    assert answer.json["pay_until"][:19] == order["payment"]["pay_until"][:19]
    asked = shop.provider.pages["page-1"]["payment"]
    assert (asked.amount_minor, asked.currency, asked.order_number) == (2000, "EUR", order["number"])
    assert asked.expires_at.isoformat()[:19] == order["payment"]["pay_until"][:19]
    assert asked.return_url == f"http://localhost:5002/shop/orders/{shop.order_id}"


def test_repeated_request_gets_the_open_page_without_asking_again(shop: Shop) -> None:
    assert shop.open().json == shop.open().json
    assert shop.provider.calls == ["open"]
    assert len(shop.db.fetch_all(PAYMENTS)) == 1


def test_strangers_cannot_pay_an_order(shop: Shop) -> None:
    assert shop.open(BOB).status_code == 404
    assert shop.open({}).status_code == 401
    assert shop.client.post("/orders/nonsense/payment", headers=ALICE).status_code == 404
    assert (shop.db.fetch_all(PAYMENTS), shop.provider.calls) == ([], [])


def test_order_that_needs_no_payment_is_not_payable(client: FlaskClient, stock: Any, place: Any, db: Database) -> None:
    stock(p1=5)
    answer = client.post(f"/orders/{place(p1=1).json['order_id']}/payment", headers=ALICE)
    assert (answer.status_code, answer.json["code"]) == (409, "not_payable")  # type: ignore[index]
    assert db.fetch_all(PAYMENTS) == []


def test_paid_order_is_not_payable_again(shop: Shop) -> None:
    shop.paid()
    answer = shop.open()
    assert (answer.status_code, answer.json["code"]) == (409, "not_payable")
    assert (answer.json["status_of_order"], answer.json["payment_status"]) == ("placed", "paid")


def test_cancelled_order_is_not_payable(shop: Shop) -> None:
    shop.cancel()
    assert shop.open().status_code == 409


def test_order_is_not_payable_after_its_window(shop: Shop) -> None:
    end_window(shop.db)
    assert shop.open().status_code == 409
    assert shop.db.fetch_all(PAYMENTS) == []


def test_provider_that_is_away_is_answered_503_and_asked_again(shop: Shop) -> None:
    shop.provider.away = {"open"}
    answer = shop.open()
    assert (answer.status_code, answer.json["code"]) == (503, "payment_unavailable")
    assert answer.headers["Retry-After"] == "1"
    shop.provider.away = set()
    assert shop.page() == "page-1"
    assert len(shop.db.fetch_all(PAYMENTS)) == 1


def test_page_whose_answer_was_lost_is_opened_again_not_twice(shop: Shop) -> None:
    shop.provider.lost = {"open"}
    assert shop.open().status_code == 503
    shop.provider.lost = set()
    assert shop.page() == "page-1"
    assert list(shop.provider.pages) == ["page-1"]


def test_page_is_not_given_out_when_the_order_was_cancelled_meanwhile(shop: Shop, work: Callable[[], None]) -> None:
    def cancel(_: Any) -> None:
        assert shop.cancel() == 200
        work()  # closes the page, which is not stored yet

    shop.provider.before["open"] = cancel
    assert shop.open().status_code == 409
    assert shop.provider.pages["page-1"]["status"] == "expired"
    assert [row.status for row in shop.db.fetch_all(PAYMENTS)] == ["expired"]


def test_paid_event_pays_the_order(shop: Shop) -> None:
    page = shop.page()
    assert shop.tell(page, shop.provider.pay(page)) == "accepted"
    assert shop.status() == ("placed", "paid", 20.0, 0.0)
    assert shop.events() == [("order.placed", None), ("order.paid", 2000)]
    payment = shop.db.fetch_one(PAYMENTS)
    assert (payment.status, payment.accepted, payment.reference) == ("paid", True, "page-1")


def test_same_event_twice_is_applied_once(shop: Shop) -> None:
    page = shop.page()
    paid = shop.provider.pay(page)
    assert [shop.tell(page, paid), shop.tell(page, paid)] == ["accepted", "repeated"]
    assert shop.tell(page, paid, event_id="another") == "unchanged"
    assert (len(shop.events()), shop.refunds()) == (2, [])
    stored = shop.db.fetch_all("SELECT event_id, outcome FROM payment_events ORDER BY received_at")
    assert [row.outcome for row in stored] == ["accepted", "unchanged"]


def test_declined_payment_may_be_tried_again_on_a_new_page(shop: Shop) -> None:
    first = shop.page()
    assert shop.tell(first, shop.provider.end(first, "failed")) == "failed"
    assert shop.status()[:2] == ("placed", "failed")
    second = shop.page()
    assert (first, second) == ("page-1", "page-2")
    assert shop.tell(second, shop.provider.pay(second)) == "accepted"
    assert shop.status() == ("placed", "paid", 20.0, 0.0)


def test_decline_that_arrives_after_the_payment_changes_nothing(shop: Shop) -> None:
    page = shop.paid()
    assert [shop.tell(page, State("failed")), shop.tell(page, State("expired"))] == ["unchanged", "unchanged"]
    assert shop.status() == ("placed", "paid", 20.0, 0.0)


@pytest.mark.parametrize("before", ["failed", "expired"])
def test_payment_after_failure_or_expiry_of_its_page_counts(shop: Shop, before: Any) -> None:
    page = shop.page()
    shop.tell(page, shop.provider.end(page, before))
    assert shop.tell(page, shop.provider.pay(page, late=True)) == "accepted"
    assert shop.status() == ("placed", "paid", 20.0, 0.0)


def test_first_page_paid_after_all_closes_the_second(shop: Shop, work: Callable[[], None]) -> None:
    first = shop.page()
    shop.tell(first, shop.provider.end(first, "failed"))
    second = shop.page()
    shop.tell(first, shop.provider.pay(first, late=True))
    assert shop.jobs() == ["close_payment_page"]
    work()
    assert shop.provider.pages[second]["status"] == "expired"
    assert shop.status() == ("placed", "paid", 20.0, 0.0)


def test_second_payment_of_an_order_goes_back_whole(shop: Shop, work: Callable[[], None]) -> None:
    first = shop.page()
    shop.tell(first, shop.provider.end(first, "failed"))
    second = shop.paid()
    assert shop.tell(first, shop.provider.pay(first, late=True)) == "duplicate"
    assert shop.refunds() == [("duplicate", 2000, "EUR", "pending")]
    work()
    assert shop.refunds() == [("duplicate", 2000, "EUR", "done")]
    assert shop.status() == ("placed", "paid", 20.0, 0.0)
    assert (shop.provider.refunded(first), shop.provider.refunded(second)) == (2000, 0)
    assert [kind for kind, _ in shop.events()] == ["order.placed", "order.paid"]


def test_payment_of_a_cancelled_order_goes_back_whole(shop: Shop, work: Callable[[], None]) -> None:
    page = shop.page()
    paid = shop.provider.pay(page)
    shop.cancel()
    assert shop.tell(page, paid) == "late"
    assert shop.refunds() == [("late", 2000, "EUR", "pending")]
    work()
    assert shop.refunds() == [("late", 2000, "EUR", "done")]
    assert (shop.status(), shop.provider.refunded(page)) == (("cancelled", "failed", 0.0, 0.0), 2000)


@pytest.mark.parametrize(("amount", "currency"), [(1999, "EUR"), (2001, "EUR"), (2000, "USD")])
def test_payment_of_another_amount_or_currency_goes_back(
    shop: Shop, work: Callable[[], None], caplog: pytest.LogCaptureFixture, amount: int, currency: str
) -> None:
    caplog.set_level(logging.ERROR)
    page = shop.page()
    assert shop.tell(page, shop.provider.pay(page, amount=amount, currency=currency)) == "mismatch"
    assert shop.refunds() == [("mismatch", amount, currency, "pending")]
    assert shop.status() == ("placed", "pending", 0.0, 0.0)
    assert [record.message for record in caplog.records] == ["payment_mismatch"]
    work()
    assert (shop.refunds()[0][3], shop.provider.refunded(page)) == ("done", amount)
    assert shop.page() == "page-2"  # it can still be paid


def test_payment_without_an_amount_changes_nothing(shop: Shop) -> None:
    assert shop.tell(shop.page(), State("paid", "page-1")) == "incomplete"
    assert (shop.status(), shop.refunds()) == (("placed", "pending", 0.0, 0.0), [])


def test_payment_of_nothing_is_not_accepted_and_returns_nothing(shop: Shop) -> None:
    assert shop.tell(shop.page(), State("paid", "page-1", 0, "EUR")) == "mismatch"
    assert (shop.status()[1], shop.refunds(), shop.jobs()) == ("pending", [], [])


def test_forged_event_is_refused_and_not_stored(shop: Shop) -> None:
    page = shop.page()
    paid = shop.provider.pay(page)
    forged = event(page, paid) | {"headers": SIGNED | {"Signature": "guessed"}}
    answer = shop.client.post("/payments/test/events", **forged)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_signature")  # type: ignore[index]
    assert shop.db.fetch_all("SELECT FROM payment_events") == []
    assert shop.tell(page, paid) == "accepted"


def test_events_of_unknown_pages_and_types_are_stored_and_answered(shop: Shop) -> None:
    page = shop.page()
    assert shop.tell("page-9", State("paid", "page-9", 2000, "EUR"), event_id="e1") == "unknown_page"
    assert shop.tell(page, None, event_id="e2", kind="charge.updated") == "ignored"
    assert shop.tell(None, None, event_id="e3", kind="account.updated") == "ignored"
    assert shop.tell(page, State("open"), event_id="e4") == "unchanged"
    stored = shop.db.fetch_all("SELECT event_id, outcome, payment_id FROM payment_events ORDER BY event_id")
    assert [(row.event_id, row.outcome) for row in stored] == [
        ("e1", "unknown_page"),
        ("e2", "ignored"),
        ("e3", "ignored"),
        ("e4", "unchanged"),
    ]
    assert [row.payment_id is None for row in stored] == [True, False, True, False]
    assert shop.status() == ("placed", "pending", 0.0, 0.0)


@pytest.mark.parametrize("name", ["stripe", "none", "Test"])
def test_events_of_another_provider_are_not_found(shop: Shop, name: str) -> None:
    page = shop.page()
    paid = shop.provider.pay(page)
    assert shop.client.post(f"/payments/{name}/events", **event(page, paid)).status_code == 404
    assert shop.status()[1] == "pending"


def test_events_are_not_found_where_orders_need_no_payment(client: FlaskClient) -> None:
    assert client.post("/payments/test/events", **event("page-1", None)).status_code == 404


def test_large_events_and_other_media_types_are_refused(shop: Shop) -> None:
    large = shop.client.post("/payments/test/events", data=b" " * (256 * 1024 + 1), headers=SIGNED)
    other = shop.client.post("/payments/test/events", data=b"{}", headers=SIGNED | {"Content-Type": "text/plain"})
    assert (large.status_code, other.status_code) == (413, 415)


def test_same_state_applied_twice_changes_nothing_the_second_time(shop: Shop) -> None:
    paid = shop.provider.pay(shop.page())
    payment_id = shop.db.fetch_one(PAYMENTS).id
    assert [actions.apply_state(shop.db, payment_id, paid) for _ in range(2)] == ["accepted", "unchanged"]
    assert len(shop.events()) == 2


def test_cancelling_a_paid_order_refunds_it_once(shop: Shop, work: Callable[[], None]) -> None:
    page = shop.paid()
    assert shop.cancel() == 200
    assert shop.status() == ("cancelled", "refunded", 20.0, 20.0)
    work()
    assert shop.refunds() == [("cancelled", 2000, "EUR", "done")]
    assert shop.provider.refunded(page) == 2000
    assert shop.events()[-1] == ("order.refunded", 2000)


def test_crash_between_provider_and_database_refunds_once(shop: Shop, work: Callable[[], None]) -> None:
    page = shop.paid()
    shop.cancel()
    shop.provider.lost = {"refund"}
    with pytest.raises(Exception, match="answered too late"):
        work()
    assert (shop.provider.refunded(page), shop.refunds()[0][3]) == (2000, "pending")
    shop.provider.lost = set()
    work()
    assert (shop.provider.refunded(page), shop.refunds()[0][3]) == (2000, "done")
    assert [kind for kind, _ in shop.events()].count("order.refunded") == 1


def test_refund_job_that_runs_twice_refunds_once(shop: Shop, app: Any, work: Callable[[], None]) -> None:
    from order_service import jobs

    page = shop.paid()
    shop.cancel()
    refund_id = str(shop.db.fetch_one("SELECT id FROM refunds").id)
    shop.provider.before["refund"] = lambda _: jobs.refund_payment(app.services, refund_id)
    work()
    jobs.refund_payment(app.services, refund_id)
    assert (shop.provider.refunded(page), shop.refunds()) == (2000, [("cancelled", 2000, "EUR", "done")])
    assert [kind for kind, _ in shop.events()].count("order.refunded") == 1


def test_pending_refund_is_asked_for_again(shop: Shop, work: Callable[[], None]) -> None:
    page = shop.paid()
    shop.cancel()
    shop.provider.refund_states = [RefundState("pending")]
    with pytest.raises(RefundPending):
        work()
    assert shop.refunds()[0][3] == "pending"
    work()
    assert (shop.refunds()[0][3], shop.provider.refunded(page)) == ("done", 2000)


def test_failed_refund_gives_the_money_back_to_the_order(
    shop: Shop, work: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    shop.paid()
    shop.cancel()
    shop.provider.refund_states = [RefundState("failed", failure="account closed")]
    work()
    refund = shop.db.fetch_one("SELECT status, failure, finished_at FROM refunds")
    assert (refund.status, refund.failure, refund.finished_at is not None) == ("failed", "account closed", True)
    assert shop.status() == ("cancelled", "paid", 20.0, 0.0)
    assert [kind for kind, _ in shop.events()] == ["order.placed", "order.paid", "order.cancelled"]
    assert [record.message for record in caplog.records] == ["refund_failed"]


def test_failed_refund_of_a_late_payment_leaves_the_order_alone(shop: Shop, work: Callable[[], None]) -> None:
    page = shop.page()
    paid = shop.provider.pay(page)
    shop.cancel()
    shop.tell(page, paid)
    shop.provider.refund_states = [RefundState("failed", failure="account closed")]
    work()
    assert (shop.refunds(), shop.status()) == (
        [("late", 2000, "EUR", "failed")],
        ("cancelled", "failed", 0.0, 0.0),
    )


def failed_late_refund(shop: Shop, work: Callable[[], None]) -> str:
    """Let the refund of a late payment fail; return its URL."""
    page = shop.page()
    paid = shop.provider.pay(page)
    shop.cancel()
    shop.tell(page, paid)
    shop.provider.refund_states = [RefundState("failed", failure="account closed")]
    work()
    (refund,) = shop.seen_by_staff()["refunds"]
    assert (refund["status"], refund["retriable"]) == ("failed", True)
    return f"/admin/orders/{shop.order_id}/refunds/{refund['refund_id']}"


def test_failed_refund_of_a_late_payment_is_tried_again(shop: Shop, work: Callable[[], None]) -> None:
    url = failed_late_refund(shop, work)
    answers = [shop.client.post(f"{url}/retry", headers=SAM) for _ in range(2)]
    work()
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    assert shop.refunds() == [("late", 2000, "EUR", "failed"), ("late", 2000, "EUR", "done")]
    assert [refund["retriable"] for refund in shop.seen_by_staff()["refunds"]] == [False, False]
    assert (shop.provider.refunded("page-1"), shop.status()) == (2000, ("cancelled", "failed", 0.0, 0.0))
    audited: Any = shop.client.get("/admin/audit?action=order.retry_refund", headers=SAM).json
    assert [entry["subject"] for entry in audited] == [shop.order_id]


def test_racing_retries_return_the_money_once(app: Flask, shop: Shop, work: Callable[[], None]) -> None:
    url = failed_late_refund(shop, work)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: app.test_client().post(f"{url}/retry", headers=SAM), range(4)))
    work()
    assert {answer.status_code for answer in answers} == {201}
    assert (len(shop.refunds()), shop.provider.refunded("page-1")) == (2, 2000)


def test_refund_of_the_order_is_not_tried_again_but_requested(shop: Shop, work: Callable[[], None]) -> None:
    shop.paid()
    shop.cancel()
    shop.provider.refund_states = [RefundState("failed", failure="account closed")]
    work()
    (refund,) = shop.seen_by_staff()["refunds"]
    url = f"/admin/orders/{shop.order_id}/refunds"
    answer = shop.client.post(f"{url}/{refund['refund_id']}/retry", headers=SAM)
    assert (answer.status_code, answer.json["code"]) == (409, "refund_not_retriable")  # type: ignore[index]
    assert "request a new refund" in answer.json["error"]  # type: ignore[index]
    requested = shop.client.post(url, json={"amount": 20, "reason": "again"}, headers=SAM | {"Idempotency-Key": "k"})
    assert requested.status_code == 201
    work()
    assert (shop.refunds()[-1], shop.provider.refunded("page-1")) == (("requested", 2000, "EUR", "done"), 2000)


def test_back_office_tries_a_failed_refund_again(shop: Shop, work: Callable[[], None], app: Api) -> None:
    url = failed_late_refund(shop, work).replace("/admin/", "/backoffice/")
    pages = browser(app, SAM["Authorization"].removeprefix("Bearer "))
    page = pages.get(f"/backoffice/orders/{shop.order_id}")
    assert f'action="{url}/retry"' in page.text
    assert [pages.post(f"{url}/retry").status_code for _ in range(2)] == [303, 303]
    work()
    assert shop.provider.refunded("page-1") == 2000
    assert "Try again" not in pages.get(f"/backoffice/orders/{shop.order_id}").text


def test_metrics_count_payments_events_revenue_and_refunds(shop: Shop, work: Callable[[], None]) -> None:
    counted = {
        "payments_total": {"outcome": "accepted"},
        "payment_events_total": {"outcome": "repeated"},
        "revenue_total": {"currency": "EUR"},
        "refunds_total": {"status": "done"},
        "payment_provider_failures_total": {"call": "open"},
    }

    def values() -> list[float]:
        return [REGISTRY.get_sample_value(name, labels) or 0 for name, labels in counted.items()]

    before = values()
    shop.provider.away = {"open"}
    shop.open()
    shop.provider.away = set()
    page = shop.paid()
    shop.tell(page, shop.provider.pay(page))
    shop.cancel()
    work()
    assert [after - earlier for after, earlier in zip(values(), before, strict=True)] == [1, 1, 20.0, 1, 1]


def end_window(db: Database) -> None:
    with db.transaction("end_window") as connection:
        connection.execute("UPDATE orders SET pay_until = now() - interval '1 second'")
