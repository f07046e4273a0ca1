"""Issue the tokens that callers show to all services."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from chassis.tokens import Caller, DemoTokens
from user_service.settings import Settings


class Signer(Protocol):
    def sign(self, caller: Caller) -> str:
        """Return a token that every service's verifier reads back as this caller."""


class Issuer(NamedTuple):
    """Who signs, and how long what is issued lasts."""

    signer: Signer
    token_seconds: int
    refresh_seconds: int


def issuer(settings: Settings) -> Issuer:
    signer = DemoTokens(settings.token_secrets, settings.token_ttl_seconds)
    return Issuer(signer, settings.token_ttl_seconds, settings.refresh_ttl_seconds)
