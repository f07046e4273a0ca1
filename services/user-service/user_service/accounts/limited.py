"""Register within the rate limits."""

from __future__ import annotations

from chassis.db.database import Row
from chassis.rate_limit.policy import Rule
from user_service.accounts import actions, rules
from user_service.accounts.schemas import RegisterBody
from user_service.services import Services

# Few for each address: a registration tells which usernames and email addresses are taken, and leaves an account.
# Some clients register on every start, whether or not the account exists; so more failures are free than at sign-in.
REGISTERING = Rule("register", failures=(rules.UsernameTaken, rules.EmailTaken), free=20, limits_address=True, few=True)


def register(services: Services, body: RegisterBody) -> Row:
    """Open an account; raise UsernameTaken, EmailTaken, WeakPassword or TooManyRequests."""
    with services.rate_limiter.attempt(REGISTERING, rules.account_key(body.username)):
        return actions.register(services.database, services.passwords, **body.model_dump())
