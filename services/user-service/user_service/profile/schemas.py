"""Request and response schemas of the profile."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import BLANK_IS_NONE, Shape, line
from chassis.http.email import OptionalEmail
from chassis.http.postal import Address, AddressOut
from user_service.accounts.schemas import NewPassword, OptionalName, Password
from user_service.profile import rules


def _phone(phone: str) -> str:
    if phone and not rules.is_number(phone):
        raise PydanticCustomError("phone", "is not a telephone number such as {example}", {"example": rules.EXAMPLE})
    return phone


Phone = Annotated[str, line(50), AfterValidator(_phone)]
OptionalPhone = Annotated[
    Phone | None,
    BLANK_IS_NONE,
    Field(description="International, or national of the country of the shipping address; kept as international."),
]


class ProfileChanges(Shape):
    """Absent members stay as they are; null clears a member."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: OptionalName = None
    email: OptionalEmail = None
    phone: OptionalPhone = None
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
    shipping_address: AddressOut | None
    email_verified_at: datetime | None = Field(description="Null until somebody who reads its mails has confirmed it.")
    email_refused_at: datetime | None = Field(description="When a mail server last said that the address is wrong.")
    new_email: str | None = Field(description="Replaces `email` as soon as it is confirmed.")


class SessionOut(BaseModel):
    id: str
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class PasskeyOut(BaseModel):
    name: str
    created_at: datetime
    last_used_at: datetime | None = Field(description="Null until the first sign-in with it.")


class ChangeByStaffOut(BaseModel):
    at: datetime
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class ExportOut(BaseModel):
    profile: ProfileOut
    registered_at: datetime
    password_changed_at: datetime
    sessions: list[SessionOut]
    passkeys: list[PasskeyOut]
    roles: list[str]
    second_factor_since: datetime | None
    changes_by_staff: list[ChangeByStaffOut]
