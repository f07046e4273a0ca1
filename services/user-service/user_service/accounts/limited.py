"""Register within the rate limits."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from chassis.db.database import Row
from chassis.rate_limit.policy import Rule
from user_service.accounts import actions, rules
from user_service.accounts.schemas import RegisterBody
from user_service.services import Services

# Few for each address: a registration tells which usernames are taken, and leaves an account.
# Some clients register on every start, whether or not the account exists; so more failures are free than at sign-in.
REGISTERING = Rule("register", failures=(rules.UsernameTaken,), free=20, limits_address=True, few=True)
# Anybody can have mails sent to an address, on several routes. These share the limits, and every attempt counts,
# whether or not an account has the address. What one client may ask for no longer, another one may.
MAILING = Rule("mail", few=True, per_hour=10, counts_all=True)


def register(services: Services, body: RegisterBody) -> Row:
    """Open an account; raise UsernameTaken, WeakPassword or TooManyRequests."""
    with services.rate_limiter.attempt(REGISTERING, rules.account_key(body.username)), mailing(services, body.email):
        return actions.register(services.database, services.passwords, **body.model_dump())


def mailing(services: Services, email: str | None) -> AbstractContextManager[None]:
    """Count a mail to this address, if there is one to send; raise TooManyRequests."""
    if email is None:
        return nullcontext()
    return services.rate_limiter.attempt(MAILING, rules.email_limit_key(email))
