"""Accounts: anybody may open one."""

from __future__ import annotations

from flask import Response, current_app

from chassis.api import answers, public, reply
from chassis.database import current_database
from user_service.accounts import actions
from user_service.accounts.schemas import AccountOut, RegisterBody

registration = public("registration", __name__)


@registration.post("/register", responses=answers({201: AccountOut}, 400, 409, 413, 415))
def register(body: RegisterBody) -> Response:
    """Open an account."""
    account = actions.register(current_database(), current_app.extensions["passwords"], **body.model_dump())
    return reply(account._asdict(), status=201)
