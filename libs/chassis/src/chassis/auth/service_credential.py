"""Authenticate calls between the services with a shared credential."""

from __future__ import annotations

import hmac

from chassis.auth.tokens import bearer_token
from chassis.context import Services
from chassis.problems import InvalidToken


def require_service(services: Services, authorization: str) -> None:
    """Raise InvalidToken unless the bearer token is a service credential; a user's token is not."""
    presented = bearer_token(authorization).encode()
    # Compare with all credentials: the response time must not reveal which one matched.
    if not sum(hmac.compare_digest(presented, accepted.encode()) for accepted in services.settings.service_credential):
        raise InvalidToken
