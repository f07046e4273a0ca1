"""Request and response schemas of confirmed addresses and forgotten passwords."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from chassis.http.api import Shape
from chassis.http.email import Email
from user_service.accounts.schemas import NewPassword

MailToken = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=256),
    Field(description="The code that the mail carries."),
]


class ForgottenBody(Shape):
    email: Annotated[Email, Field(min_length=1)]


class ConfirmEmailBody(Shape):
    token: MailToken


class ResetBody(Shape):
    token: MailToken
    new_password: NewPassword


class AcceptedOut(BaseModel):
    message: str
