"""The public route of registration."""

from __future__ import annotations

from chassis.http.api import public
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response
from chassis.rate_limit.policy import Rule
from user_service.accounts import actions, rules
from user_service.accounts.schemas import AccountOut, RegisterBody
from user_service.services import Services

registration = public("registration", __name__)

# Few for each address: a registration tells which usernames and email addresses are taken, and leaves an account.
# Some clients register on every start, whether or not the account exists; so more failures are free than at sign-in.
REGISTERING = Rule("register", failures=(rules.UsernameTaken, rules.EmailTaken), free=20, limits_address=True, few=True)


@registration.post("/register", responses=responses({201: AccountOut}, 400, 409, 413, 415, 429))
def register(services: Services, body: RegisterBody) -> JsonResponse:
    """Open an account."""
    with services.rate_limiter.attempt(REGISTERING, rules.account_key(body.username)):
        account = actions.register(services.database, services.passwords, **body.model_dump())
    return json_response(account._asdict(), status=201)
