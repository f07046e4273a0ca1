"""The payment provider that the settings name."""

from __future__ import annotations

from importlib import import_module

from chassis.db.database import Database
from order_service.payments.provider import Provider
from order_service.payments.provider_for_tests import ProviderForTests
from order_service.settings import Settings


def provider_of(settings: Settings, database: Database) -> Provider | None:
    """Return the provider of PAYMENT_PROVIDER; None where orders need no payment."""
    if settings.payment_provider == "test":
        return ProviderForTests(database, settings.service_credential, settings.public_url)
    if settings.payment_provider == "stripe":
        return _stripe(settings)
    return None


def _stripe(settings: Settings) -> Provider:
    """Return Stripe; its package takes long to import, and not everybody needs it."""
    provider: Provider = import_module("order_service.payments.stripe_provider").StripeProvider(settings)
    return provider
