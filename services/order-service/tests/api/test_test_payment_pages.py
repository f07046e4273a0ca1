"""PAYMENT_PROVIDER=test: its pages in the shop, its signatures and its refunds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from scripted_provider import assert_money_adds_up

from chassis.db.database import Database
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer
from order_service import jobs
from order_service.payments import provider_for_tests
from order_service.payments.provider import Payment, Refund
from order_service.payments.provider_for_tests import ProviderForTests

ALICE = bearer("u-alice", "alice")
EVENTS = "/payments/test/events"


@pytest.fixture
def provider(app: Any, db: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    provider = ProviderForTests(db, (LOCAL_SECRET,), "http://localhost:5002/")
    monkeypatch.setattr(app.services, "terms", app.services.terms._replace(payment_minutes=30))
    monkeypatch.setattr(app.services, "payments", provider)
    yield provider
    assert_money_adds_up(db)


@pytest.fixture
def order(provider: ProviderForTests, stock: Any, place: Any) -> str:
    stock(p1=5)
    return str(place(p1=2).json["order_id"])


@pytest.fixture
def page(client: FlaskClient, order: str) -> str:
    """Return the path of the order's payment page."""
    url = client.post(f"/orders/{order}/payment", headers=ALICE).json["url"]  # type: ignore[index]
    assert re.fullmatch(r"http://localhost:5002/shop/test-payment/[0-9a-f]{32}", url)
    return str(url.removeprefix("http://localhost:5002"))


@pytest.fixture
def status(client: FlaskClient, order: str) -> Callable[[], tuple[str, str]]:
    def status() -> tuple[str, str]:
        found: Any = client.get(f"/orders/{order}", headers=ALICE).json
        return found["status"], found["payment"]["status"]

    return status


def test_page_shows_the_amount_and_that_no_money_moves(visitor: FlaskClient, page: str) -> None:
    answer = visitor.get(page)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "20.00" in answer.text
    assert "no money moves" in answer.text
    assert re.findall(r'name="do" value="(\w+)"', answer.text) == ["approve", "decline", "twice"]


@pytest.mark.parametrize(
    ("button", "expected"), [("approve", "paid"), ("decline", "failed"), ("twice", "paid"), ("late", "paid")]
)
def test_button_tells_the_shop_and_returns_to_the_order(
    *, visitor: FlaskClient, page: str, order: str, status: Any, button: str, expected: str
) -> None:
    answer = visitor.post(page, data={"do": button})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/shop/orders/{order}")
    assert status() == ("placed", expected)


def test_page_is_paid_once(visitor: FlaskClient, page: str, db: Database) -> None:
    visitor.post(page, data={"do": "twice"})
    assert [visitor.post(page, data={"do": do}).status_code for do in ("approve", "late", "decline")] == [409] * 3
    assert "This page is paid" in visitor.get(page).text
    assert db.fetch_one("SELECT count(*) AS n FROM order_events WHERE type = 'order.paid'").n == 1


def test_declined_page_leads_to_a_new_one(client: FlaskClient, visitor: FlaskClient, page: str, order: str) -> None:
    visitor.post(page, data={"do": "decline"})
    assert visitor.post(page, data={"do": "approve"}).status_code == 409
    again: Any = client.post(f"/orders/{order}/payment", headers=ALICE).json
    assert not again["url"].endswith(page)


def test_late_payment_of_a_cancelled_order_is_returned(
    *, client: FlaskClient, visitor: FlaskClient, page: str, order: str, work: Any, status: Any, db: Database
) -> None:
    client.post(f"/orders/{order}/cancel", headers=ALICE)
    work()
    assert "expired" in visitor.get(page).text
    assert visitor.post(page, data={"do": "approve"}).status_code == 409
    assert visitor.post(page, data={"do": "late"}).status_code == 303
    work()
    assert status() == ("cancelled", "failed")
    refund = db.fetch_one("SELECT reason, status, amount_minor FROM refunds")
    assert tuple(refund) == ("late", "done", 2000)


def test_unpaid_order_expires_with_its_page(app: Any, visitor: FlaskClient, page: str, status: Any, db: Any) -> None:
    with db.transaction("end_window") as connection:
        connection.execute("UPDATE orders SET pay_until = now() - interval '1 second'")
    jobs.expire_orders(app.services)
    assert status() == ("cancelled", "failed")
    assert "expired" in visitor.get(page).text


def test_page_takes_no_other_button_and_no_form_of_another_site(
    client: FlaskClient, visitor: FlaskClient, page: str, status: Any
) -> None:
    assert visitor.post(page, data={"do": "steal"}).status_code == 400
    assert visitor.post(page).status_code == 400
    assert client.post(page, data={"do": "approve"}).status_code == 403
    assert status() == ("placed", "pending")


def test_unknown_pages_are_not_found(visitor: FlaskClient, page: str) -> None:
    for unknown in ("/shop/test-payment/0", f"{page}0"):
        assert visitor.get(unknown).status_code == 404
        assert visitor.post(unknown, data={"do": "approve"}).status_code == 404


def test_pages_are_not_found_with_another_provider(app: Any, visitor: FlaskClient, page: str) -> None:
    app.services.payments = None
    assert visitor.get(page).status_code == 404
    assert visitor.post(page, data={"do": "approve"}).status_code == 404


def post(client: FlaskClient, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.post(EVENTS, data=body, headers=headers | {"Content-Type": "application/json"})
    return answer.status_code, answer.json.get("code", answer.json.get("outcome"))  # type: ignore[union-attr]


def test_signed_event_is_accepted_and_a_changed_one_is_not(
    client: FlaskClient, provider: ProviderForTests, page: str, status: Any
) -> None:
    page_id = page.rpartition("/")[2]
    provider.end(page_id, "paid")
    body, headers = provider.event(page_id)
    refused = (400, "invalid_signature")
    assert post(client, body.replace(b"2000", b"1000"), headers) == refused
    for name in headers:
        assert post(client, body, {other: text for other, text in headers.items() if other != name}) == refused
        assert post(client, body, headers | {name: "1"}) == refused
    assert post(client, b"\xff", headers) == refused
    assert post(client, body, headers | {"webhook-signature": "v1,%%% v1"}) == refused
    assert status() == ("placed", "pending")
    assert post(client, body, headers) == (200, "accepted")
    assert post(client, body, headers) == (200, "repeated")


@pytest.mark.parametrize("minutes", [-6, 6])
def test_event_of_another_time_is_refused(
    *, client: FlaskClient, provider: ProviderForTests, page: str, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    page_id = page.rpartition("/")[2]
    provider.end(page_id, "paid")

    class Clock(datetime):
        @classmethod
        def now(cls, _zone: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(minutes=minutes)

    monkeypatch.setattr(provider_for_tests, "datetime", Clock)
    assert post(client, *provider.event(page_id)) == (400, "invalid_signature")


def test_event_signed_with_another_credential_is_refused(
    client: FlaskClient, provider: ProviderForTests, page: str, db: Database
) -> None:
    page_id = page.rpartition("/")[2]
    provider.end(page_id, "paid")
    stranger = ProviderForTests(db, ("another-credential-of-forty-characters-xx",), "http://localhost:5002")
    assert post(client, *stranger.event(page_id)) == (400, "invalid_signature")


def test_event_signed_with_the_former_credential_is_accepted(
    app: Any, client: FlaskClient, provider: ProviderForTests, page: str, db: Database
) -> None:
    page_id = page.rpartition("/")[2]
    provider.end(page_id, "paid")
    app.services.payments = ProviderForTests(
        db, ("a-new-credential-of-more-than-32-characters", LOCAL_SECRET), "http://x"
    )
    assert post(client, *provider.event(page_id)) == (200, "accepted")


def test_refunds_of_a_page_are_done_once_and_never_exceed_it(db: Database, provider: ProviderForTests) -> None:
    end = datetime.now(UTC) + timedelta(minutes=30)
    page = provider.open(Payment(uuid4(), "N", 1000, "EUR", None, end, "http://x"))
    first = Refund(uuid4(), page.provider_id, 600, "EUR")
    assert provider.refund(first).status == "failed"  # not paid yet
    provider.end(page.provider_id, "paid")
    assert [provider.refund(first).status for _ in range(2)] == ["done", "done"]
    assert provider.refund(Refund(uuid4(), page.provider_id, 401, "EUR")).status == "failed"
    assert provider.refund(Refund(uuid4(), page.provider_id, 400, "EUR")).status == "done"
    assert provider.refund(first).status == "done"
    assert db.fetch_one("SELECT count(*) AS n FROM test_payment_pages").n == 1


def test_page_ends_at_its_time_alone(provider: ProviderForTests) -> None:
    end = datetime.now(UTC) - timedelta(seconds=1)
    page = provider.open(Payment(uuid4(), "N", 1000, "EUR", None, end, "http://x"))
    assert (provider.state(page.provider_id).status, provider.end(page.provider_id, "paid")) == ("expired", False)
    assert provider.expire(page.provider_id).status == "expired"
    assert provider.state("no such page").status == "expired"
