"""Change the second factor within the rate limits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.context import Caller
from chassis.pages.brand import BRAND
from chassis.rate_limit.policy import Rule
from user_service.accounts.one_time_codes import provisioning_uri
from user_service.profile.limited import CONFIRMING
from user_service.second_factor import actions
from user_service.second_factor.rules import WrongCode
from user_service.second_factor.schemas import BeginBody, ChangeBody, ConfirmBody
from user_service.services import Services

# Counted by user, because new sessions are free to a thief of the password; a wrong code at sign-in has its own count.
CONFIRMING_CODE = Rule("second-factor", failures=(WrongCode,))


def offer(services: Services, caller: Caller, body: BeginBody) -> dict[str, str]:
    """Return a new secret and its URI; raise WrongPassword, SecondFactorOn or TooManyRequests."""
    with services.rate_limiter.attempt(CONFIRMING, caller.session_id):
        secret = actions.offer(services.database, services.passwords, caller=caller, password=body.password)
    return {"secret": secret, "uri": provisioning_uri(secret, caller.username, BRAND.name)}


def switch_on(services: Services, caller: Caller, body: ConfirmBody) -> list[str]:
    """Switch the second factor on and return recovery codes; raise a Problem of rules.py or TooManyRequests."""
    with services.rate_limiter.attempt(CONFIRMING_CODE, caller.user_id):
        return actions.switch_on(services.database, caller=caller, otp=body.otp)


def switch_off(services: Services, caller: Caller, body: ChangeBody) -> None:
    """Switch the second factor off; raise WrongPassword, a Problem of rules.py or TooManyRequests."""
    with _confirming(services, caller):
        actions.switch_off(services.database, services.passwords, caller=caller, **body.model_dump())


def renew_codes(services: Services, caller: Caller, body: ChangeBody) -> list[str]:
    """Return new recovery codes; raise WrongPassword, a Problem of rules.py or TooManyRequests."""
    with _confirming(services, caller):
        return actions.renew_codes(services.database, services.passwords, caller=caller, **body.model_dump())


@contextmanager
def _confirming(services: Services, caller: Caller) -> Iterator[None]:
    limiter = services.rate_limiter
    with limiter.attempt(CONFIRMING, caller.session_id), limiter.attempt(CONFIRMING_CODE, caller.user_id):
        yield
