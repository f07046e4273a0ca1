"""Request and response schemas of the second factor."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from chassis.http.api import Shape
from user_service.accounts.schemas import Password
from user_service.sessions.schemas import Otp


class BeginBody(Shape):
    password: Password


class ConfirmBody(Shape):
    otp: Otp = Field(description="The code that the app shows now.")


class ChangeBody(Shape):
    password: Password
    otp: Otp = Field(description="A code of the app, or a recovery code.")


class SecondFactorOut(BaseModel):
    since: datetime | None = Field(description="Null while it is off.")
    recovery_codes_left: int


class OfferOut(BaseModel):
    secret: str = Field(description="To type into an authenticator app;")
    uri: str = Field(description="or to show it as a QR code.")


class RecoveryCodesOut(BaseModel):
    recovery_codes: list[str] = Field(description="Each replaces one code of the app. They are not shown again.")
