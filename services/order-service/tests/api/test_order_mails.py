"""Mails about orders follow the log of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.mail import Refused, Unavailable
from chassis.testing.http import bearer
from chassis.testing.postgres import settle
from order_service import jobs
from order_service.mails import sending
from order_service.payments import retention
from order_service.sessions import actions, erasure
from order_service.settings import Settings

ALICE = bearer("u-alice", "alice")
SHIP_TO = {"recipient": "<b>Alice</b>", "street": "1 Main St", "city": "Oxford", "country": "GB"}
QUEUED = "SELECT args FROM procrastinate_jobs WHERE task_name = 'send_order_mail' ORDER BY id"
TAKE = "DELETE FROM procrastinate_jobs WHERE task_name = 'send_order_mail' RETURNING args"
EVENT = """
INSERT INTO order_events (order_id, type, status, total_minor, currency, amount_minor)
SELECT id, %(type)s, status, total_minor, currency, total_minor FROM orders RETURNING id
"""


@pytest.fixture
def order(client: FlaskClient, stock: Callable[..., None]) -> Callable[..., str]:
    """Place an order with an email address, or without; return its id."""
    stock(p1=50)

    def order(email: str | None = "alice@example.com") -> str:
        body = {"items": [{"product_id": "p1", "qty": 2}], "ship_to": SHIP_TO, "email": email}
        answer = client.post("/orders", json=body, headers=ALICE)
        assert answer.status_code == 201, answer.text
        return str(answer.json["order_id"])  # type: ignore[index]

    return order


@pytest.fixture
def services(db: Database, settings: Settings, tmp_path: Path) -> Any:
    mailing = settings.model_copy(update={"mail_dir": tmp_path, "public_url": "https://shop.example"})
    return SimpleNamespace(database=db, settings=mailing)


@pytest.fixture
def follow(db: Database, services: Any) -> Callable[[], list[dict[str, str]]]:
    def follow() -> list[dict[str, str]]:
        settle(db)
        jobs.follow_events_for_mails(services)
        return [row.args for row in db.fetch_all(QUEUED)]

    return follow


@pytest.fixture
def deliver(db: Database, services: Any, follow: Any) -> Callable[[], list[EmailMessage]]:
    """Send what waits; return all mails."""

    def deliver() -> list[EmailMessage]:
        follow()
        for row in db.fetch_all(TAKE):
            jobs.send_order_mail(services, **row.args)
        return [read(file) for file in sorted(services.settings.mail_dir.glob("*.eml"))]

    return deliver


def read(file: Path) -> EmailMessage:
    return message_from_bytes(file.read_bytes(), policy=policy.default)  # type: ignore[return-value]


def parts(mail: EmailMessage) -> Iterator[str]:
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        yield part.get_content()


def test_order_placed_is_confirmed_with_lines_total_and_link(order: Any, deliver: Any) -> None:
    order_id = order()
    (mail,) = deliver()
    text, html = parts(mail)
    assert mail["To"] == "alice@example.com"
    for part in (text, html):
        for words in ("Product p1", "20.00", "1 Main St", f"https://shop.example/shop/orders/{order_id}"):
            assert words in part
    assert "<b>Alice</b>" in text
    assert "<b>Alice" not in html
    assert "waits for your payment" not in text


def test_unpaid_order_is_told_until_when_to_pay(db: Database, order: Any, deliver: Any) -> None:
    order()
    db.fetch_one("UPDATE orders SET payment_status = 'pending', pay_until = '2030-01-02T12:00Z' RETURNING 1")
    text, html = parts(deliver()[0])
    assert "waits for your payment until" in text
    assert "waits for your payment until" in html


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("order.paid", "received your payment of €20.00"),
        ("order.shipped", "Tracking number: T-1"),
        ("order.cancelled", "was cancelled. You have paid nothing"),
        ("order.refunded", "returned €20.00"),
    ],
)
def test_each_change_of_an_order_has_its_mail(db: Database, order: Any, deliver: Any, kind: str, words: str) -> None:
    order()
    db.fetch_one("""UPDATE orders SET shipment = '{"carrier": "Post", "tracking_number": "T-1", "tracking_url": null,
        "shipped_at": "2030-01-01T00:00:00Z"}' RETURNING 1""")
    db.fetch_one(EVENT, {"type": kind})
    texts = ["".join(parts(mail)) for mail in deliver()]
    assert len(texts) == 2
    assert any(words in text for text in texts)


def test_order_that_was_not_paid_in_time_is_told_why(db: Database, order: Any, deliver: Any) -> None:
    order()
    db.fetch_one("UPDATE orders SET status = 'cancelled', pay_until = now() - interval '1 minute' RETURNING 1")
    db.fetch_one(EVENT, {"type": "order.cancelled"})
    assert any("because it was not paid in time" in "".join(parts(mail)) for mail in deliver())


def test_delivered_order_and_order_without_email_have_no_mail(db: Database, order: Any, follow: Any) -> None:
    order(None)
    db.fetch_one(EVENT, {"type": "order.delivered"})
    assert follow() == []


def test_each_event_is_queued_once_and_the_job_holds_ids_only(order: Any, follow: Any) -> None:
    order()
    order()
    assert len(follow()) == 2
    again = follow()
    assert len(again) == 2
    assert {name for args in again for name in args} == {"event_id", "xid"}


def test_worker_that_was_away_mails_each_event_once(db: Database, order: Any, deliver: Any) -> None:
    order()
    assert len(deliver()) == 1
    order()
    db.fetch_one("UPDATE orders SET email = email RETURNING 1")
    order()
    mails = deliver()
    assert len({mail["Message-ID"] for mail in mails}) == len(mails) == 3
    assert len(deliver()) == 3


def test_job_that_runs_twice_sends_the_same_message_id(
    order: Any, follow: Any, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(sending, "send", lambda _, mail: sent.append(mail))
    order()
    (job,) = follow()
    jobs.send_order_mail(services, **job)
    jobs.send_order_mail(services, **job)
    assert [mail.message_id for mail in sent] == [f"order-placed-{job['event_id'].replace('-', '')}"] * 2


def test_refused_address_is_noted_until_a_mail_is_accepted(
    db: Database, order: Any, follow: Any, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise Refused("550")

    order()
    (job,) = follow()
    with monkeypatch.context() as patched:
        patched.setattr(sending, "send", refuse)
        jobs.send_order_mail(services, **job)
    noted = "SELECT email_refused_at IS NOT NULL AS refused FROM orders"
    assert db.fetch_one(noted).refused
    jobs.send_order_mail(services, **job)
    assert not db.fetch_one(noted).refused


def test_mail_server_that_is_away_is_asked_again_for_a_day(
    order: Any, follow: Any, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise Unavailable("away")

    order()
    (job,) = follow()
    monkeypatch.setattr(sending, "send", away)
    with pytest.raises(Unavailable):
        jobs.send_order_mail(services, **job)
    assert jobs.tasks.by_name["send_order_mail"].retry_hours == 24


def test_erased_order_sends_no_mail(db: Database, order: Any, follow: Any, services: Any) -> None:
    order()
    (job,) = follow()
    with db.transaction("erase") as connection:
        erasure.erase(connection, ["u-alice"])
    jobs.send_order_mail(services, **job)
    assert not list(services.settings.mail_dir.iterdir())


def pay(db: Database, *, status: str = "paid", age: str = "3 days", refund: str = "done") -> None:
    db.fetch_one(
        """INSERT INTO payments (order_id, provider, provider_id, url, reference, amount_minor, currency, status,
            created_at) SELECT id, 'test', 'page-1', 'https://pay', 'ref-1', 2000, 'EUR', %(status)s,
            now() - CAST(%(age)s AS interval) FROM orders RETURNING 1""",
        {"status": status, "age": age},
    )
    db.fetch_one(
        """INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason, status, provider_id, failure,
            idempotency_key, fingerprint) SELECT order_id, id, 1, 'EUR', 'late', %(refund)s, 're-1', 'why', 'k', 'f'
            FROM payments RETURNING 1""",
        {"refund": refund},
    )


HELD = """SELECT num_nonnulls(p.provider_id, p.reference, p.url) AS payment,
    num_nonnulls(r.provider_id, r.failure, r.idempotency_key, r.fingerprint) AS refund
FROM payments p JOIN refunds r ON r.payment_id = p.id"""


@pytest.mark.parametrize(
    ("state", "held"),
    [
        ({}, (0, 0)),
        ({"refund": "pending"}, (3, 4)),
        ({"status": "open"}, (3, 0)),
        ({"status": "expired", "age": "1 hour"}, (3, 0)),
        ({"status": "expired"}, (0, 0)),
    ],
)
def test_payment_references_are_erased_when_no_money_moves(
    db: Database, order: Any, state: dict[str, str], held: tuple[int, int]
) -> None:
    order()
    pay(db, **state)
    with db.transaction("erase") as connection:
        erasure.erase(connection, ["u-alice"])
    assert tuple(db.fetch_one(HELD)) == held


def test_refund_that_ends_after_the_erasure_is_erased_by_the_sweep(db: Database, order: Any) -> None:
    order()
    pay(db, refund="pending")
    db.fetch_one("INSERT INTO erased_buyers VALUES ('u-alice', now()) RETURNING 1")
    actions.erase_late_orders(db, after="", limit=10)
    assert tuple(db.fetch_one(HELD)) == (3, 4)
    db.fetch_one("UPDATE refunds SET status = 'done' RETURNING 1")
    actions.erase_late_orders(db, after="", limit=10)
    assert tuple(db.fetch_one(HELD)) == (0, 0)


def test_email_shipment_and_audit_of_an_order_are_erased(db: Database, order: Any) -> None:
    order_id = order()
    db.fetch_one("UPDATE orders SET shipment = '{}', email_refused_at = now() RETURNING 1")
    db.fetch_one(
        """INSERT INTO audit_entries (staff_id, staff_name, action, subject, before, after)
        VALUES ('u-staff', 'staff', 'order.change', %(id)s, '{"email": "alice@example.com"}', NULL) RETURNING 1""",
        {"id": order_id},
    )
    with db.transaction("erase") as connection:
        erasure.erase(connection, ["u-alice"])
    held = db.fetch_one("SELECT num_nonnulls(email, email_refused_at, shipment, ship_to, receipt) AS held FROM orders")
    assert held.held == 0
    assert db.fetch_one("SELECT before, staff_name FROM audit_entries WHERE staff_id IS NOT NULL") == (None, "staff")


def test_export_holds_payments_and_refunds(db: Database, client: FlaskClient, order: Any) -> None:
    order()
    pay(db)
    (exported,) = client.get("/orders/export", headers=ALICE).json["orders"]  # type: ignore[index]
    assert exported["payments"][0]["reference"] == "ref-1"
    assert exported["refunds"][0]["amount"] == 0.01


def test_payment_events_are_kept_for_three_months(db: Database) -> None:
    db.fetch_one("""INSERT INTO payment_events (provider, event_id, type, outcome, received_at) VALUES
        ('test', 'old', 't', 'o', now() - interval '91 days'), ('test', 'new', 't', 'o', now() - interval '89 days')
        RETURNING 1""")
    retention.forget_events(db)
    assert [row.event_id for row in db.fetch_all("SELECT event_id FROM payment_events")] == ["new"]


def test_metrics_count_orders_by_bounded_labels(client: FlaskClient, order: Any, place: Any) -> None:
    order()
    place(p1=51)
    place(nothing=1)
    lines = client.get("/metrics").text.splitlines()
    refused = {line.partition("{")[2].partition("}")[0] for line in lines if line.startswith("orders_refused_total{")}
    assert {'code="out_of_stock"', 'code="unknown_product"'} <= refused
    assert any(line.startswith('orders_placed_value_total{currency="EUR"}') for line in lines)
    assert all("u-alice" not in line and "o-" not in line for line in lines if line.startswith("orders_"))
