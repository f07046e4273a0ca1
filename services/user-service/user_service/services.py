"""The objects that the routes of user-service use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

from flask import current_app

from chassis import context
from chassis.auth.tokens import CachingVerifier
from chassis.db.database import Database
from chassis.rate_limit.devices import TrustedDevices
from chassis.rate_limit.limiter import RateLimiter
from user_service.accounts.hashing import hashing_slots
from user_service.accounts.passwords import Passwords
from user_service.passkeys.challenges import Challenges
from user_service.sessions import queries
from user_service.sessions.pending import PendingSignIns
from user_service.sessions.signing import Issuer, issuer
from user_service.settings import Settings


@dataclass(kw_only=True)
class Services(context.Services):
    settings: Settings
    passwords: Passwords
    rate_limiter: RateLimiter
    devices: TrustedDevices
    issuer: Issuer
    challenges: Challenges
    pending: PendingSignIns


def current_services() -> Services:
    """Return the services of the app that serves this request, for pages."""
    return cast("Services", current_app.services)  # type: ignore[attr-defined]


def connect(settings: Settings, database: Database) -> Services:
    tokens = issuer(settings)
    return Services(
        settings=settings,
        database=database,
        tokens=CachingVerifier(tokens.verifier),
        has_ended=partial(queries.has_ended, database),
        passwords=Passwords(slots=hashing_slots(settings.threads)),
        rate_limiter=RateLimiter(settings.rate_limit_storage_url, settings.rate_limit_per_address),
        devices=TrustedDevices(settings.service_credential),
        issuer=tokens,
        challenges=Challenges(settings.service_credential),
        pending=PendingSignIns(settings.service_credential),
    )
