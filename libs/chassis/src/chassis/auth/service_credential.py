"""The credential by which the services of the shop know each other."""

from __future__ import annotations

import hmac

from chassis.auth.tokens import bearer_token
from chassis.context import Services
from chassis.problems import InvalidToken


def require_service(services: Services, authorization: str) -> None:
    """Admit another service; raise InvalidToken for anybody else, customers with a token included."""
    shown = bearer_token(authorization).encode()
    # Compare with each, whichever matches: the time it takes must not tell which one.
    if not sum(hmac.compare_digest(shown, accepted.encode()) for accepted in services.settings.service_credential):
        raise InvalidToken
