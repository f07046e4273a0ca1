"""Email addresses on the wire, the same in every service."""

from __future__ import annotations

from typing import Annotated, Any

from email_validator import validate_email
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from chassis.http.api import line


def _address(email: str) -> str:
    try:
        if email:
            validate_email(email, check_deliverability=False)
    except ValueError as reason:
        raise PydanticCustomError("email", "{reason}", {"reason": str(reason)}) from reason
    return email


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Email = Annotated[str, line(254), AfterValidator(_address), Field(json_schema_extra={"format": "email"})]
# Clients of the first version send "" for an empty form field.
OptionalEmail = Annotated[Email | None, BeforeValidator(_blank_is_none)]
