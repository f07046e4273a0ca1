"""Shapes of the profile on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from chassis.api import Shape, line
from user_service.accounts.schemas import BlankIsNone, Email, Name, NewPassword, Password

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(description="ISO 3166-1 alpha-2.")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 ()./-]{2,30}$")]


class Address(Shape):
    """The same members as the `ship_to` of an order."""

    recipient: Annotated[str, line(200, 1)] | None = None
    street: Annotated[str, line(200, 1)]
    city: Annotated[str, line(100, 1)]
    postal_code: Annotated[str, line(20, 1)]
    country: Country


class ProfileChanges(Shape):
    """What is absent stays as it is; null clears."""

    name: Annotated[Name | None, BlankIsNone] = None
    email: Annotated[Email | None, BlankIsNone] = None
    phone: Annotated[Phone | None, BlankIsNone] = None
    shipping_address: Address | None = None


class PasswordBody(Shape):
    current_password: Password
    new_password: NewPassword


class DeletionBody(Shape):
    password: Password


class ProfileOut(BaseModel):
    id: str
    username: str
    name: str | None
    email: str | None
    phone: str | None
    shipping_address: Address | None


class SessionOut(BaseModel):
    id: str
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class ExportOut(BaseModel):
    profile: ProfileOut
    registered_at: datetime
    password_changed_at: datetime
    sessions: list[SessionOut]
