"""Postal addresses on the wire, the same in every service."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    TypeAdapter,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from chassis.http.api import BLANK_IS_NONE, Shape, line

# tzdata comes out with every change of the time zones, and brings the codes of ISO 3166 along; a package for the
# codes alone would be 20 times its size.
COUNTRIES = frozenset(
    entry[:2]
    for entry in (files("tzdata.zoneinfo") / "iso3166.tab").read_text("utf-8").splitlines()
    if not entry.startswith("#")
)
_USUAL_MISTAKES = {"UK": "GB", "EL": "GR"}


def _country(code: str) -> str:
    code = code.upper() if code.isascii() else ""  # the capital of one letter may be two
    if right := _USUAL_MISTAKES.get(code):
        raise PydanticCustomError("country", "is not a code of ISO 3166: use {right}", {"right": right})
    if code not in COUNTRIES:
        raise PydanticCustomError("country", "is not a code of ISO 3166, which has two letters, such as DE")
    return code


Country = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    AfterValidator(_country),
    Field(description="ISO 3166-1 alpha-2.", json_schema_extra={"pattern": "^[A-Za-z]{2}$"}),
]

country_code = TypeAdapter(Country).validate_python
"""Return the country code that a text means; raise ValidationError."""


class Address(Shape):
    """A postal address; not every country has postal codes or regions."""

    recipient: Annotated[Annotated[str, line(200)] | None, BLANK_IS_NONE] = None
    street: Annotated[str, line(200, 1)]
    line2: Annotated[Annotated[str, line(200)] | None, BLANK_IS_NONE] = Field(
        default=None, description="Such as a flat, a floor or a company's department."
    )
    city: Annotated[str, line(100, 1)]
    region: Annotated[Annotated[str, line(100)] | None, BLANK_IS_NONE] = Field(
        default=None, description="A state, province or county."
    )
    postal_code: Annotated[Annotated[str, line(20)] | None, BLANK_IS_NONE] = None
    country: Country

    @model_serializer(mode="wrap")
    def _given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {member: value for member, value in serialize(self).items() if value is not None}


class AddressOut(BaseModel):
    """A stored address; what its owner left out is absent."""

    recipient: str | None = None
    street: str
    line2: str | None = None
    city: str
    region: str | None = None
    postal_code: str | None = None
    country: str = Field(description="ISO 3166-1 alpha-2.")
