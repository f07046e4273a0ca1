"""Calls to the provider about a payment's hosted page; never inside a transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.db.database import Database, Row
from order_service.payments import rules, statements
from order_service.payments.metrics import PROVIDER_FAILURES
from order_service.payments.provider import Page, Payment, Provider, ProviderUnavailable
from order_service.payments.queries import PaymentPage

log = logging.getLogger(__name__)


class AnotherProvider(Exception):
    """The payment belongs to a provider that the settings do not name (any more): nobody can be asked about it."""


@contextmanager
def calling(call: str) -> Iterator[None]:
    """Count and log a call that the provider does not answer."""
    try:
        yield
    except ProviderUnavailable as failure:
        PROVIDER_FAILURES.labels(call).inc()
        log.warning("payment_provider_failed", extra={"call": call, "failure": str(failure)})
        raise


def of(provider: Provider | None, name: str) -> Provider:
    """Return the provider if it has this name; raise AnotherProvider."""
    if provider is None or provider.name != name:
        log.error("payment_of_another_provider", extra={"provider": name, "hint": "see docs/payments.md"})
        raise AnotherProvider(name)
    return provider


def open_page(db: Database, provider: Provider, payment: PaymentPage, return_url: str) -> Row:
    """Open the payment's page, or the same one again, and store it; None when the payment was closed meanwhile."""
    wanted = Payment(
        id=payment.id,
        order_number=payment.number,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        email=payment.email,
        expires_at=payment.pay_until,
        return_url=return_url,
    )
    with calling("open"):
        page: Page = provider.open(wanted)
    return db.fetch_one(statements.STORE_PAGE, {"payment_id": payment.id, **page._asdict()})


def page_id(db: Database, provider: Provider, payment: PaymentPage, public_url: str) -> str | None:
    """Return the provider's id of the page; after a crash that lost it, open the same page again."""
    if payment.provider_id is not None:
        return payment.provider_id
    stored = open_page(db, provider, payment, rules.return_url(public_url, payment.order_id))
    return str(stored.provider_id) if stored else None
