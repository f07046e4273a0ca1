"""Request and response schemas of the profile."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import Shape, line
from user_service.accounts.schemas import NewPassword, OptionalEmail, OptionalName, Password

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
    """Absent members stay as they are; null clears a member."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: OptionalName = None
    email: OptionalEmail = None
    phone: Phone | None = None
    shipping_address: Address | None = None
    current_password: Password | None = Field(default=None, description="Needed to change the email address.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set - {"current_password"}:
            raise PydanticCustomError("no_change", "name at least one member to change")
        if "email" in self.model_fields_set and self.current_password is None:
            raise PydanticCustomError("password_needed", "send current_password too to change the email address")
        return self


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
