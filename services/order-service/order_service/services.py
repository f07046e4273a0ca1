"""The objects that the routes of order-service use."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import cast

from flask import current_app

from chassis import context
from chassis.auth.jwks import RemoteKeys
from chassis.auth.jwt import JwtVerifier
from chassis.auth.tokens import CachingVerifier, DemoTokens
from chassis.context import no_session_has_ended, sessions_are_current, sign_in_is_available
from chassis.db.database import Database
from chassis.service_client import ServiceClient
from order_service.catalog.categories import Categories
from order_service.orders.queries import order_key
from order_service.orders.saved_address import SECONDS, SavedAddresses
from order_service.orders.terms import Terms, terms
from order_service.payments.actions import open_page
from order_service.payments.provider import Provider
from order_service.payments.providers import provider_of
from order_service.payments.queries import open_url
from order_service.payments.rules import return_url
from order_service.sessions.session_feed import SessionFeed
from order_service.settings import Settings


@dataclass(kw_only=True)
class Services(context.Services):
    """The chassis' services, and what they have from user-service; None where not used."""

    settings: Settings
    feed: SessionFeed | None
    keys: RemoteKeys | None
    saved_addresses: SavedAddresses | None
    categories: Categories
    terms: Terms
    payments: Provider | None

    def close(self) -> None:
        if self.feed:
            self.feed.stop()
        super().close()

    def open_payment(self, *, buyer_id: str, order_id: str) -> None:
        """Open the order's payment page, unless one is open; raise NotFound, NotPayable or PaymentUnavailable."""
        url = return_url(self.settings.public_url, order_key(order_id))
        open_page(self.database, self.payments, buyer_id=buyer_id, order_id=order_id, return_url=url)

    def payment_url(self, *, buyer_id: str, order_id: str) -> str | None:
        """Return the URL of the order's payment page that is open."""
        return open_url(self.database, buyer_id=buyer_id, order_id=order_id)

    def details(self) -> dict[str, object]:
        """Return the details that /readyz shows beside its checks."""
        if self.feed is None:
            return {}
        age = self.feed.age_seconds
        return {"session_feed_age_seconds": round(age, 1) if isfinite(age) else None}


def current_services() -> Services:
    """Return the services of the app that serves this request, for pages."""
    return cast("Services", current_app.services)  # type: ignore[attr-defined]


def connect(settings: Settings, database: Database) -> Services:
    """Return the services; with USER_SERVICE_URL they include the session feed and, for JWTs, the public keys."""
    client = (
        ServiceClient(settings.user_service_url, settings.service_credential[0]) if settings.user_service_url else None
    )
    keys = RemoteKeys(client) if client and settings.token_kind == "jwt" else None
    feed = SessionFeed(database, client, keys, settings.session_feed_max_age_seconds) if client else None
    verifier = (
        JwtVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)
        if keys
        else DemoTokens(settings.token_secrets, settings.token_ttl_seconds)
    )
    return Services(
        settings=settings,
        database=database,
        tokens=CachingVerifier(verifier),
        has_ended=feed.has_ended if feed else no_session_has_ended,
        require_current_sessions=feed.require_current if feed else sessions_are_current,
        sign_in_available=feed.is_in_contact if feed else sign_in_is_available,
        feed=feed,
        keys=keys,
        saved_addresses=_saved_addresses(settings),
        categories=Categories(database),
        terms=terms(settings),
        payments=provider_of(settings, database),
    )


def _saved_addresses(settings: Settings) -> SavedAddresses | None:
    if not settings.user_service_url:
        return None
    client = ServiceClient(settings.user_service_url, settings.service_credential[0], attempt_seconds=SECONDS)
    return SavedAddresses(client)
