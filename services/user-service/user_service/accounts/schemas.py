"""Request and response schemas of accounts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from chassis.http.api import BLANK_IS_NONE, Shape, line
from chassis.http.email import OptionalEmail
from user_service.accounts import rules

LONGEST_PASSWORD = 128
LONGEST_USERNAME = 64


def normalised(value: Any) -> Any:
    # Longer text is refused later; normalising it could take seconds, because the cost is quadratic. Spaces are cheap.
    short = isinstance(value, str) and len(value.strip()) <= 4 * LONGEST_USERNAME
    return rules.normalised(value) if short else value


def _visible(username: str) -> str:
    if not rules.shows_every_character(username):
        raise PydanticCustomError("username_characters", "spaces and invisible characters are not allowed")
    return username


Username = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=LONGEST_USERNAME),
    AfterValidator(_visible),
    BeforeValidator(normalised),
    Field(description="Trimmed; no spaces or invisible characters. Variants in case or Unicode are the same name."),
]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=8, max_length=LONGEST_PASSWORD),
    Field(description="Not a common one, not the username or email address."),
]
Password = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PASSWORD)]
# Clients of the first version send "" for an empty form field.
OptionalName = Annotated[Annotated[str, line(100)] | None, BLANK_IS_NONE]


class RegisterBody(Shape):
    username: Username
    password: NewPassword
    name: OptionalName = None
    email: OptionalEmail = None


class AccountOut(BaseModel):
    id: str
    username: str
    name: str | None
    email: str | None
