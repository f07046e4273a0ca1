"""Choose how tokens are signed and verified: demo tokens or JWTs."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from chassis.auth.jwt import JwtSigner, JwtVerifier
from chassis.auth.tokens import DemoTokens, TokenVerifier
from chassis.context import Caller
from user_service.sessions.actions import SessionPolicy
from user_service.sessions.keys import BadKeys, KeyRing
from user_service.settings import Settings


class Signer(Protocol):
    def sign(self, caller: Caller) -> str:
        """Return a token for this caller that all services accept."""


class Issuer(NamedTuple):
    """Signer, verifier, the lifetime of tokens and the policy of sessions."""

    signer: Signer
    verifier: TokenVerifier
    token_seconds: int
    session: SessionPolicy
    ring: KeyRing | None = None

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK set, empty for demo tokens."""
        return self.ring.jwks() if self.ring else {"keys": []}


def issuer(settings: Settings) -> Issuer:
    session = SessionPolicy(
        settings.refresh_ttl_seconds,
        settings.session_max_age_seconds,
        staff_second_factor=settings.app_env in {"stage", "prod"},
    )
    lifetimes = settings.token_ttl_seconds, session
    if settings.token_kind == "demo" or settings.token_keys_file is None:
        demo = DemoTokens(settings.token_secrets, settings.token_ttl_seconds)
        return Issuer(demo, demo, *lifetimes)
    try:
        ring = KeyRing(settings.token_keys_file)
    except BadKeys as failure:
        raise SystemExit(f"user-service: cannot start: TOKEN_KEYS_FILE: {failure}") from None
    names = {"issuer": settings.token_issuer, "audience": settings.token_audience}
    signer = JwtSigner(ring, ttl_seconds=settings.token_ttl_seconds, **names)
    return Issuer(signer, JwtVerifier(ring, **names), *lifetimes, ring)
