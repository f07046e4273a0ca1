"""Stripe as a provider, against a server that keeps state and fails as told."""

from __future__ import annotations

import datetime
import logging
import subprocess
import sys
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from order_service.payments.provider import (
    Payment,
    ProviderRefused,
    ProviderUnavailable,
    Refund,
    RefundState,
    State,
)
from order_service.payments.stripe_provider import StripeProvider
from order_service.settings import Settings

KEY = "sk_test_" + "k" * 24
RETURN_URL = "https://shop.example/shop/orders/o-1"
PAYMENT = Payment(
    id=UUID("0198f5a0-0000-7000-8000-000000000001"),
    order_number="7K2M-9QDX-41TB",
    amount_minor=6488,
    currency="EUR",
    email="anna@example.com",
    expires_at=datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC),
    return_url=RETURN_URL,
)
SILENT_FOR = 0.3  # seconds until our side gives up, here


@pytest.fixture
def provider(stripe_server: Any) -> StripeProvider:
    return StripeProvider(settings_of(stripe_server.url), timeout=(SILENT_FOR, SILENT_FOR))


def settings_of(api_base: str) -> Settings:
    return Settings(
        database_url="postgresql://localhost/shop",
        payment_provider="stripe",
        stripe_secret_key=KEY,
        stripe_webhook_secret="whsec_test",
        stripe_api_base=api_base,
    )


def refund_of(amount_minor: int = 1000, currency: str = "EUR") -> Refund:
    return Refund(id=uuid4(), reference="pi_1", amount_minor=amount_minor, currency=currency)


def test_page_asks_for_the_orders_total_in_one_line(provider: StripeProvider, stripe_server: Any) -> None:
    page = provider.open(PAYMENT)

    (request,) = stripe_server.requests
    assert page == ("cs_test_1", "https://checkout.stripe.com/c/pay/cs_test_1#secret")
    assert request.form == {
        "mode": "payment",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "6488",
        "line_items[0][price_data][product_data][name]": "7K2M-9QDX-41TB",
        "client_reference_id": str(PAYMENT.id),
        "metadata[payment_id]": str(PAYMENT.id),
        "metadata[order_number]": "7K2M-9QDX-41TB",
        "payment_intent_data[metadata][payment_id]": str(PAYMENT.id),
        "payment_intent_data[metadata][order_number]": "7K2M-9QDX-41TB",
        "payment_intent_data[description]": "7K2M-9QDX-41TB",
        "expires_at": str(int(PAYMENT.expires_at.timestamp()) + 31 * 60),
        "success_url": RETURN_URL,
        "cancel_url": RETURN_URL,
        "adaptive_pricing[enabled]": "false",
        "customer_email": "anna@example.com",
    }
    assert request.headers["idempotency-key"] == f"payment-{PAYMENT.id}"
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_page_of_an_order_without_email_names_no_customer(provider: StripeProvider, stripe_server: Any) -> None:
    provider.open(PAYMENT._replace(email=None))

    assert "customer_email" not in stripe_server.requests[0].form


def test_same_payment_opens_the_same_page(provider: StripeProvider, stripe_server: Any) -> None:
    assert provider.open(PAYMENT) == provider.open(PAYMENT)
    assert len(stripe_server.pages) == 1


def test_page_is_found_again_after_the_customers_email_changed(provider: StripeProvider, stripe_server: Any) -> None:
    provider.open(PAYMENT._replace(id=uuid4()))
    page = provider.open(PAYMENT)

    assert provider.open(PAYMENT._replace(email="anna@example.org")) == page
    assert len(stripe_server.pages) == 2
    search = stripe_server.requests[-1]
    assert (search.method, search.form["created[gte]"]) == ("GET", str(int("0198f5a00000", 16) // 1000 - 60))


def test_page_that_cannot_be_found_again_is_unavailable(provider: StripeProvider, stripe_server: Any) -> None:
    provider.open(PAYMENT)
    stripe_server.pages.clear()

    with pytest.raises(ProviderUnavailable, match="not to be found"):
        provider.open(PAYMENT._replace(email="anna@example.org"))


def test_page_that_no_attempt_opened_in_time_is_opened_to_be_expired(
    provider: StripeProvider, stripe_server: Any
) -> None:
    late = PAYMENT._replace(expires_at=datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=3))

    page = provider.open(late)

    assert (provider.open(late), len(stripe_server.pages)) == (page, 1)
    assert "expires_at" not in stripe_server.requests[1].form
    assert provider.expire(page.provider_id) == State("expired")


def test_page_that_was_opened_in_time_is_found_again_later(provider: StripeProvider, stripe_server: Any) -> None:
    soon = PAYMENT._replace(expires_at=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1))
    page = provider.open(soon)
    stripe_server.hours_later = 3

    assert (provider.open(soon), len(stripe_server.pages)) == (page, 1)


def test_lost_answer_is_asked_for_again_with_the_same_key(provider: StripeProvider, stripe_server: Any) -> None:
    stripe_server.script = ["lost"]

    assert provider.open(PAYMENT).provider_id == "cs_test_1"
    assert [each.headers["idempotency-key"] for each in stripe_server.requests] == [f"payment-{PAYMENT.id}"] * 2
    assert len(stripe_server.pages) == 1


def test_answer_that_comes_twice_is_not_taken_for_the_next_one(provider: StripeProvider, stripe_server: Any) -> None:
    stripe_server.script = ["twice"]
    provider.open(PAYMENT)
    other = PAYMENT._replace(id=uuid4())

    with pytest.raises(ProviderUnavailable, match="about something else"):
        provider.open(other)

    assert provider.open(other).provider_id == "cs_test_2"


@pytest.mark.parametrize("failure", [500, 503, 409, 429, (400, "rate_limit"), "silence", "close", "page"])
@pytest.mark.parametrize("call", ["open", "expire", "state", "refund"])
def test_failing_stripe_is_unavailable_within_the_time_limit(
    provider: StripeProvider, stripe_server: Any, call: str, failure: Any
) -> None:
    stripe_server.script = [failure] * 4
    argument: Any = {"open": PAYMENT, "refund": refund_of()}.get(call, "cs_test_1")
    began = time.monotonic()

    with pytest.raises(ProviderUnavailable) as raised:
        getattr(provider, call)(argument)

    assert not isinstance(raised.value, ProviderRefused)
    assert time.monotonic() - began < 2 * SILENT_FOR + 0.5 + 2  # two attempts, a pause, and a busy machine
    assert len(stripe_server.requests) <= 2


def test_stripe_that_is_not_there_is_unavailable() -> None:
    provider = StripeProvider(settings_of("http://127.0.0.1:1"))

    with pytest.raises(ProviderUnavailable):
        provider.state("cs_test_1")


@pytest.mark.parametrize("status", [400, 402, 404])
def test_refused_page_is_logged_and_not_asked_for_again(
    provider: StripeProvider, stripe_server: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    stripe_server.script = [(status, "amount_too_small")]

    with pytest.raises(ProviderRefused, match=f"open: .*{status} amount_too_small") as raised:
        provider.open(PAYMENT)

    assert len(stripe_server.requests) == 1
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert vars(record) | {
        "message": "payment_provider_refused",
        "status": status,
        "code": "amount_too_small",
        "param": "customer_email",
        "stripe_request": "req_1",
    } == vars(record)
    assert "anna" not in f"{raised.value!r} {caplog.text} {vars(record)}"


@pytest.mark.parametrize("status", [401, 403])
def test_key_that_stripe_refuses_is_logged_and_may_be_mended(
    provider: StripeProvider, stripe_server: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    stripe_server.script = [status]

    with pytest.raises(ProviderUnavailable) as raised:
        provider.refund(refund_of())

    assert not isinstance(raised.value, ProviderRefused)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "payment_provider_refused"
    ]


@pytest.mark.parametrize(("amount", "currency"), [(1005, "KWD"), (100, "IQD"), (150, "MGA")])
def test_what_stripe_cannot_charge_is_refused_before_asking(
    provider: StripeProvider, stripe_server: Any, amount: int, currency: str
) -> None:
    with pytest.raises(ProviderRefused, match=currency):
        provider.open(PAYMENT._replace(amount_minor=amount, currency=currency))

    assert stripe_server.requests == []


PAID = {"status": "complete", "payment_status": "paid", "payment_intent": "pi_1"}
UNPAID = {"status": "complete", "payment_status": "unpaid"}


@pytest.mark.parametrize(
    ("page", "state"),
    [
        ({}, State("open")),
        ({"payment_intent": {"id": "pi_1", "status": "requires_payment_method"}}, State("open")),
        ({"status": "expired"}, State("expired")),
        (PAID, State("paid", "pi_1", 6488, "EUR")),
        (PAID | {"payment_intent": {"id": "pi_2", "status": "succeeded"}}, State("paid", "pi_2", 6488, "EUR")),
        (UNPAID | {"payment_intent": {"id": "pi_1", "status": "processing"}}, State("open")),
        (UNPAID | {"payment_intent": {"id": "pi_1", "status": "requires_payment_method"}}, State("failed")),
        (PAID | {"currency": "jpy", "amount_total": 500}, State("paid", "pi_1", 500, "JPY")),
        (PAID | {"currency": "kwd", "amount_total": 5120}, State("paid", "pi_1", 5120, "KWD")),
        (PAID | {"currency": "isk", "amount_total": 500}, State("paid", "pi_1", 5, "ISK")),
        (PAID | {"currency": "mga", "amount_total": 5}, State("paid", "pi_1", 500, "MGA")),
    ],
)
def test_state_of_a_page(provider: StripeProvider, stripe_server: Any, page: dict[str, Any], state: State) -> None:
    opened = provider.open(PAYMENT).provider_id
    stripe_server.pages[opened] |= page

    assert provider.state(opened) == state
    assert stripe_server.requests[-1].form == {"expand[0]": "payment_intent"}


@pytest.mark.parametrize(
    ("page", "state"),
    [
        ({}, State("expired")),
        ({"status": "expired"}, State("expired")),
        (PAID, State("paid", "pi_1", 6488, "EUR")),
        (UNPAID | {"payment_intent": {"id": "pi_1", "status": "processing"}}, State("open")),
    ],
)
def test_expiring_a_page_returns_its_last_state(
    provider: StripeProvider, stripe_server: Any, page: dict[str, Any], state: State
) -> None:
    opened = provider.open(PAYMENT).provider_id
    stripe_server.pages[opened] |= page

    assert provider.expire(opened) == state


@pytest.mark.parametrize("call", ["state", "expire"])
def test_page_of_another_account_is_refused(provider: StripeProvider, call: str) -> None:
    with pytest.raises(ProviderRefused, match="404 resource_missing"):
        getattr(provider, call)("cs_test_9")


def test_refund_returns_the_amount_once(provider: StripeProvider, stripe_server: Any) -> None:
    refund = refund_of(1000)

    assert provider.refund(refund) == RefundState("done", "re_1")
    stripe_server.kept.clear()  # Stripe forgets idempotency keys
    assert provider.refund(refund) == RefundState("done", "re_1")

    created = [request for request in stripe_server.requests if request.method == "POST"]
    assert [(each.form, each.headers["idempotency-key"]) for each in created] == [
        (
            {"payment_intent": "pi_1", "amount": "1000", "metadata[refund_id]": str(refund.id)},
            f"refund-{refund.id}",
        )
    ]


def test_lost_answer_to_a_refund_refunds_once(provider: StripeProvider, stripe_server: Any) -> None:
    stripe_server.script = ["well", "lost"]

    assert provider.refund(refund_of()) == RefundState("done", "re_1")
    assert len(stripe_server.refunds) == 1


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        ("pending", None, RefundState("pending", "re_1")),
        ("requires_action", None, RefundState("pending", "re_1")),
        ("succeeded", None, RefundState("done", "re_1")),
        ("failed", "lost_or_stolen_card", RefundState("failed", "re_1", "lost_or_stolen_card")),
        ("canceled", None, RefundState("failed", "re_1", "canceled")),
    ],
)
def test_same_refund_again_returns_its_present_state(
    provider: StripeProvider, stripe_server: Any, status: str, reason: str | None, state: RefundState
) -> None:
    refund = refund_of()
    provider.refund(refund)
    stripe_server.refunds[0] |= {"status": status, "failure_reason": reason}

    assert provider.refund(refund) == state


@pytest.mark.parametrize("status", [400, 402])
def test_refund_that_stripe_refuses_has_failed(
    provider: StripeProvider, stripe_server: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    stripe_server.script = ["well", (status, "charge_already_refunded")]

    assert provider.refund(refund_of()) == RefundState("failed", None, "charge_already_refunded")
    assert [record.message for record in caplog.records] == ["payment_provider_refused"]
    assert stripe_server.refunds == []


def test_refund_that_could_not_be_looked_for_has_not_failed(provider: StripeProvider, stripe_server: Any) -> None:
    stripe_server.script = [(400, None)]

    with pytest.raises(ProviderRefused):
        provider.refund(refund_of())


def test_refund_of_an_unknown_payment_is_refused(provider: StripeProvider, stripe_server: Any) -> None:
    stripe_server.script = ["well", (404, "resource_missing")]

    with pytest.raises(ProviderRefused):
        provider.refund(refund_of())


def test_refund_of_a_third_decimal_has_failed(provider: StripeProvider, stripe_server: Any) -> None:
    state = provider.refund(refund_of(1005, "KWD"))

    assert (state.status, state.provider_id) == ("failed", None)
    assert "KWD" in str(state.failure)
    assert stripe_server.refunds == []


def test_no_key_address_or_page_reaches_the_log(
    provider: StripeProvider, stripe_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = provider.open(PAYMENT)
    stripe_server.script = [500, 500, (400, None), 401]
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            provider.state(page.provider_id)

    logged = " ".join(f"{vars(record)}" for record in caplog.records)
    assert caplog.records
    assert [secret for secret in (KEY, "k" * 24, "anna@", "#secret", "whsec_", RETURN_URL) if secret in logged] == []


def test_stripe_gets_no_telemetry(provider: StripeProvider, stripe_server: Any) -> None:
    page = provider.open(PAYMENT)
    provider.state(page.provider_id)

    headers = [request.headers for request in stripe_server.requests]
    assert len(headers) == 2
    assert not any("x-stripe-client-telemetry" in each for each in headers)
    assert not any(word in each["x-stripe-client-user-agent"] for each in headers for word in ("platform", "telemetry"))


def test_service_without_stripe_does_not_load_its_library() -> None:
    code = "import sys, order_service, order_service.jobs, order_service.__main__; sys.exit('stripe' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
