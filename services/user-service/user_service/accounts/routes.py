"""Accounts: anybody may open one."""

from __future__ import annotations

from flask import current_app

from chassis.answers import Answer, reply
from chassis.api import answers, public
from chassis.database import current_database
from chassis.ledger import Rule
from chassis.throttle import attempt
from user_service.accounts import actions, rules
from user_service.accounts.schemas import AccountOut, RegisterBody

registration = public("registration", __name__)

# Clients open the account that they need without asking whether it is there: that is no attack.
REGISTERING = Rule("register", failures=(rules.UsernameTaken, rules.EmailTaken), free=100)


@registration.post("/register", responses=answers({201: AccountOut}, 400, 409, 413, 415, 429))
def register(body: RegisterBody) -> Answer:
    """Open an account."""
    with attempt(REGISTERING, rules.account_key(body.username)):
        account = actions.register(current_database(), current_app.extensions["passwords"], **body.model_dump())
    return reply(account._asdict(), status=201)
