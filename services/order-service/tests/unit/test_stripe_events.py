"""Events of Stripe: the signature over the raw bytes, their age, and what each type says of a page."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from order_service.payments.provider import Event, ForgedEvent, State
from order_service.payments.stripe_provider import StripeProvider
from order_service.settings import Settings

SECRET = "whsec_" + "w" * 32
PAGE = {
    "id": "cs_test_a1",
    "object": "checkout.session",
    "adaptive_pricing": {"enabled": False},
    "amount_subtotal": 6488,
    "amount_total": 6488,
    "cancel_url": "https://shop.example/shop/orders/o-1",
    "client_reference_id": "0198f5a0-0000-7000-8000-000000000001",
    "created": 1764240000,
    "currency": "eur",
    "customer": None,
    "customer_details": {"address": None, "email": "anna@example.com", "name": "Anna", "phone": None},
    "customer_email": "anna@example.com",
    "expires_at": 1764243660,
    "livemode": False,
    "metadata": {"order_number": "7K2M-9QDX-41TB", "payment_id": "0198f5a0-0000-7000-8000-000000000001"},
    "mode": "payment",
    "payment_intent": "pi_3A1",
    "payment_method_types": ["card"],
    "payment_status": "paid",
    "shipping_options": [],
    "status": "complete",
    "success_url": "https://shop.example/shop/orders/o-1",
    "url": None,
}
PAID = State("paid", "pi_3A1", 6488, "EUR")


@pytest.fixture
def provider() -> StripeProvider:
    return StripeProvider(
        Settings(
            database_url="postgresql://localhost/shop",
            payment_provider="stripe",
            stripe_secret_key="sk_test_" + "k" * 24,
            stripe_webhook_secret=SECRET,
            stripe_api_base="http://127.0.0.1:1",
        )
    )


def event_of(kind: str, page: dict[str, Any]) -> bytes:
    event = {
        "id": "evt_1Q",
        "object": "event",
        "api_version": "2026-06-24",
        "created": 1764240100,
        "data": {"object": page},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    return json.dumps(event, indent=2).encode()


def signed(body: bytes, secret: str = SECRET, age: float = 0) -> dict[str, str]:
    """Return the header that Stripe sends: v1 is HMAC-SHA256 of "time.body"."""
    then = int(time.time() - age)
    signature = hmac.new(secret.encode(), f"{then}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={then},v1={signature},v0=ignored"}


BODY = event_of("checkout.session.completed", PAGE)


@pytest.mark.parametrize(
    ("kind", "changed", "state"),
    [
        ("checkout.session.completed", {}, PAID),
        ("checkout.session.completed", {"payment_status": "unpaid"}, State("open")),
        ("checkout.session.completed", {"amount_total": 500, "currency": "isk"}, State("paid", "pi_3A1", 5, "ISK")),
        ("checkout.session.async_payment_succeeded", {}, PAID),
        ("checkout.session.async_payment_failed", {"payment_status": "unpaid"}, State("failed")),
        ("checkout.session.expired", {"status": "expired", "payment_status": "unpaid"}, State("expired")),
        ("checkout.session.updated", {}, None),
        # Another page of the same Stripe account, such as a payment link or a subscription.
        ("checkout.session.completed", {"metadata": {}, "currency": None, "amount_total": None}, None),
        ("checkout.session.expired", {"metadata": None}, None),
    ],
)
def test_event_says_what_became_of_its_page(
    provider: StripeProvider, kind: str, changed: dict[str, Any], state: State | None
) -> None:
    body = event_of(kind, PAGE | changed)

    assert provider.read_event(body, signed(body)) == Event("evt_1Q", kind, "cs_test_a1", state)


def test_event_of_something_else_changes_nothing(provider: StripeProvider) -> None:
    body = event_of("charge.refunded", {"id": "ch_1", "object": "charge", "amount": 6488})

    assert provider.read_event(body, signed(body)) == Event("evt_1Q", "charge.refunded", None, None)


@pytest.mark.parametrize("name", ["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE"])
def test_name_of_the_signatures_header_has_any_case(provider: StripeProvider, name: str) -> None:
    assert provider.read_event(BODY, {name: signed(BODY)["Stripe-Signature"]}).state == PAID


def test_event_signed_with_the_old_and_the_new_secret_is_valid(provider: StripeProvider) -> None:
    both = signed(BODY, "whsec_old")["Stripe-Signature"] + ",v1=" + signed(BODY)["Stripe-Signature"].split("v1=")[1]

    assert provider.read_event(BODY, {"Stripe-Signature": both}).state == PAID


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (BODY, {"Stripe-Signature": ""}),
        (BODY, {"Stripe-Signature": "nonsense"}),
        (BODY, {"Stripe-Signature": "t=now,v1=00"}),
        (BODY, {"Stripe-Signature": f"t={'9' * 5000},v1=00"}),
        (BODY, {"Stripe-Signature": f"t={int(time.time())}"}),
        (BODY, {"Stripe-Signature": f"t={int(time.time())},v1=schlüssel"}),
        (BODY, {"Stripe-Signature": f"t={int(time.time())},v1="}),
        (BODY, signed(BODY, "whsec_of_another_endpoint")),
        (BODY, signed(BODY, "")),
        (BODY.replace(b"6488", b"1"), signed(BODY)),
        (BODY + b"\n", signed(BODY)),
        (json.dumps(json.loads(BODY)).encode(), signed(BODY)),
        (BODY, signed(BODY, age=310)),
        (b"\xff\xfe", signed(b"\xff\xfe")),
        (b"", signed(b"")),
        (b"[1]", signed(b"[1]")),
        (b"no json", signed(b"no json")),
    ],
)
def test_event_that_stripe_did_not_sign_now_is_refused(
    provider: StripeProvider, body: bytes, headers: dict[str, str]
) -> None:
    with pytest.raises(ForgedEvent):
        provider.read_event(body, headers)


def test_event_of_four_minutes_ago_is_accepted(provider: StripeProvider) -> None:
    assert provider.read_event(BODY, signed(BODY, age=240)).state == PAID


def test_body_is_not_parsed_before_its_signature_is_verified(
    provider: StripeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(*arguments: Any, **options: Any) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr("stripe._webhook.json.loads", loads)
    with pytest.raises(ForgedEvent):
        provider.read_event(BODY, signed(BODY, "whsec_wrong"))


def test_refusal_does_not_quote_the_event(provider: StripeProvider) -> None:
    with pytest.raises(ForgedEvent) as raised:
        provider.read_event(BODY, {})

    assert "anna" not in repr(raised.value)
    assert raised.value.__cause__ is None
