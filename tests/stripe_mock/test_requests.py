"""Every request that order-service makes is one that Stripe's OpenAPI document allows.

stripe-mock checks paths, names, types and enumerations, and answers with fixtures: it keeps nothing.
"""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from order_service.payments.provider import Payment, ProviderRefused, ProviderUnavailable, Refund, State
from order_service.payments.stripe_provider import StripeProvider
from order_service.settings import Settings

# With two, no and three decimals, and those that Stripe writes otherwise than ISO 4217.
AMOUNTS = [("EUR", 6488), ("JPY", 500), ("KWD", 5120), ("ISK", 500), ("UGX", 5000), ("MGA", 5000), ("HUF", 104500)]


@pytest.fixture
def provider(stripe_mock: str) -> StripeProvider:
    settings = Settings(
        database_url="postgresql://localhost/shop",
        payment_provider="stripe",
        stripe_secret_key="sk_test_123",
        stripe_webhook_secret="whsec_test",
        stripe_api_base=stripe_mock,
    )
    return StripeProvider(settings, timeout=(5.0, 20.0))


def payment_of(currency: str = "EUR", amount_minor: int = 6488, **changed: Any) -> Payment:
    return Payment(
        id=UUID("0198f5a0-0000-7000-8000-000000000001"),
        order_number="7K2M-9QDX-41TB",
        amount_minor=amount_minor,
        currency=currency,
        email="anna@example.com",
        expires_at=datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=30),
        return_url="https://shop.example/shop/orders/o-1",
    )._replace(**changed)


@pytest.mark.parametrize(("currency", "amount"), AMOUNTS)
def test_page_of_every_kind_of_currency_is_opened(provider: StripeProvider, currency: str, amount: int) -> None:
    page = provider.open(payment_of(currency, amount))

    assert page.provider_id.startswith("cs_test_")
    assert page.url.startswith("https://checkout.stripe.com/")


def test_page_of_an_order_without_email_is_opened(provider: StripeProvider) -> None:
    assert provider.open(payment_of(email=None)).url


def test_search_for_an_opened_page_is_allowed(provider: StripeProvider) -> None:
    with pytest.raises(ProviderUnavailable, match="not to be found"):
        provider._find(payment_of())


def test_page_is_expired_and_asked_for(provider: StripeProvider) -> None:
    assert provider.expire("cs_test_1") == State("open")  # the fixture's status, which never changes
    assert provider.state("cs_test_1") == State("open")


@pytest.mark.parametrize(("currency", "amount"), AMOUNTS)
def test_refund_of_every_kind_of_currency_is_made(provider: StripeProvider, currency: str, amount: int) -> None:
    refund = Refund(id=uuid4(), reference="pi_1", amount_minor=amount, currency=currency)

    state = provider.refund(refund)

    assert state.status == "done"
    assert str(state.provider_id).startswith("re_")


@pytest.mark.parametrize("wrong", [{"mode": "pay"}, {"order_number": "1"}, {"expires_at": "soon"}])
def test_mock_refuses_what_stripe_does_not_know(
    provider: StripeProvider, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    sessions = provider._client.v1.checkout.sessions
    create = sessions.create
    monkeypatch.setattr(type(sessions), "create", lambda _, params, options: create({**params, **wrong}, options))

    with pytest.raises(ProviderRefused, match="400"):
        provider.open(payment_of())
