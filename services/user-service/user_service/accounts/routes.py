"""Accounts: anybody may open one."""

from __future__ import annotations

from flask import current_app

from chassis.db.database import current_database
from chassis.http.api import public, responses
from chassis.http.responses import JsonResponse, json_response
from chassis.rate_limit.limiter import limited
from chassis.rate_limit.policy import Rule
from user_service.accounts import actions, rules
from user_service.accounts.schemas import AccountOut, RegisterBody

registration = public("registration", __name__)

# Clients open the account that they need without asking whether it is there: that is no attack.
REGISTERING = Rule("register", failures=(rules.UsernameTaken, rules.EmailTaken), free=100)


@registration.post("/register", responses=responses({201: AccountOut}, 400, 409, 413, 415, 429))
def register(body: RegisterBody) -> JsonResponse:
    """Open an account."""
    with limited(REGISTERING, rules.account_key(body.username)):
        account = actions.register(current_database(), current_app.extensions["passwords"], **body.model_dump())
    return json_response(account._asdict(), status=201)
