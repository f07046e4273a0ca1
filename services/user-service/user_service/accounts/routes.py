"""The public route of registration."""

from __future__ import annotations

from chassis.http.api import public
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response
from user_service.accounts import limited, rules
from user_service.accounts.hashing import Busy
from user_service.accounts.schemas import AccountOut, RegisterBody
from user_service.services import Services

registration = public("registration", __name__)


@registration.post(
    "/register",
    responses=responses({201: AccountOut}, 400, rules.WeakPassword, rules.UsernameTaken, 413, 415, 429, Busy),
)
def register(services: Services, body: RegisterBody) -> JsonResponse:
    """Open an account; an email address gets a mail that asks to confirm it."""
    return json_response(limited.register(services, body)._asdict(), status=201)
