"""Whom this service believes: which tokens, and until when."""

from __future__ import annotations

from typing import NamedTuple

from flask import Flask

from chassis.auth.jwks import RemoteKeys
from chassis.auth.jwt import JwtVerifier
from chassis.auth.tokens import DemoTokens, TokenVerifier
from chassis.db.database import Database
from chassis.http.dispatch import guard
from chassis.problems import Unavailable
from chassis.service_client import ServiceClient
from order_service.sessions.follower import Follower
from order_service.settings import Settings

PLACING = {"orders.place", "orders.create_order"}


class FeedTooOld(Unavailable):
    code, error = "session_feed_too_old", "orders cannot be placed now, try again"


class Trust(NamedTuple):
    tokens: TokenVerifier
    follower: Follower | None


def trust(settings: Settings, database: Database) -> Trust:
    """Return what verifies tokens, and what follows user-service where its URL is given."""
    peer = (
        ServiceClient(settings.user_service_url, settings.service_credential[0]) if settings.user_service_url else None
    )
    if settings.token_kind == "jwt" and peer:
        keys = RemoteKeys(peer)
        verifier = JwtVerifier(keys, issuer=settings.token_issuer, audience=settings.token_audience)
        return Trust(verifier, Follower(database, peer, keys))
    demo = DemoTokens(settings.token_secrets, settings.token_ttl_seconds)
    return Trust(demo, Follower(database, peer, None) if peer else None)


def refuse_orders_on_old_news(app: Flask, follower: Follower, max_age_seconds: int) -> None:
    """Place no order while it has been unknown for too long which sessions have ended."""

    def check_age() -> None:
        if 0 < max_age_seconds < follower.age_seconds:
            raise FeedTooOld

    guard(app, PLACING, check_age)
