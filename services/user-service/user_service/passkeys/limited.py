"""Add and remove passkeys, and sign in with one, within the rate limits."""

from __future__ import annotations

from typing import Any

from chassis.context import Caller
from chassis.pages.brand import BRAND
from chassis.rate_limit.policy import Rule
from user_service.passkeys import actions, challenges, queries, rules
from user_service.passkeys.rules import CopiedPasskey, PasskeyRefused, Site, UnknownPasskey
from user_service.passkeys.schemas import AddForm
from user_service.profile.limited import confirm
from user_service.services import Services
from user_service.sessions.actions import Opened
from user_service.sessions.limited import user_agent
from user_service.sessions.rules import ProofNeeded

# Counted by address alone: nobody guesses a signature.
SIGNING_IN = Rule("passkey", failures=(PasskeyRefused, UnknownPasskey, CopiedPasskey))


def options_to_add(services: Services, caller: Caller, site: Site, challenge: bytes, form: AddForm) -> dict[str, Any]:
    """Return the browser's options for a new passkey; raise ProofNeeded or what `confirm` and `rules` do."""
    if not confirm(services, caller, form.current_password).may_add_factor:
        raise ProofNeeded
    known = [row.credential_id for row in queries.list_passkeys(services.database, caller=caller)]
    rules.refuse_too_many(len(known))
    names = {"shop": BRAND.name, "user_id": caller.user_id, "username": caller.username}
    return rules.creation_options(site, challenge, known=known, **names)


def remove(services: Services, caller: Caller, credential_id: bytes, password: str) -> None:
    """Remove one of the caller's passkeys; raise NotFound, WrongPassword or TooManyRequests."""
    confirm(services, caller, password)
    actions.remove(services.database, caller=caller, credential_id=credential_id)


def sign_in(services: Services, site: Site, signed_challenge: str | None, credential: dict[str, Any]) -> Opened:
    """Open a session; raise a Problem of rules.py or TooManyRequests."""
    with services.rate_limiter.attempt(SIGNING_IN):
        return actions.sign_in(
            services.database,
            site=site,
            challenge=services.challenges.read(challenges.SIGN_IN, signed_challenge),
            credential=credential,
            user_agent=user_agent(),
            policy=services.issuer.session,
        )
