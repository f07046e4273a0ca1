"""Request and response schemas of shipping methods and tax rates."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, RootModel, WithJsonSchema
from pydantic_core import PydanticCustomError

from chassis.http.api import Path, Shape, line
from chassis.http.postal import Country
from order_service.catalog import fields
from order_service.catalog.staff_schemas import Currency, Price, TaxClass
from order_service.money import Money

MOST_COUNTRIES = 249
LARGEST_POSITION = 1_000_000
MOST_DECIMALS = 3

Id = Annotated[str, line(fields.LONGEST_ID, 1), AfterValidator(fields.product_id)]


def _as_decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, float | int | Decimal):
        raise PydanticCustomError("rate", "is a number of per cent, 0 to 100, such as 19")
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _rate(rate: Decimal) -> Decimal:
    if not 0 <= rate <= 100:  # noqa: PLR2004 - per cent
        raise PydanticCustomError("rate", "is a number of per cent, 0 to 100, such as 19")
    exponent = rate.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MOST_DECIMALS:
        raise PydanticCustomError("rate", "has at most three decimals, such as 8.875")
    return rate


class ShippingMethodIn(Shape):
    name: Annotated[str, line(fields.LONGEST_NAME, 1)]
    countries: list[Country] | None = Field(
        default=None, min_length=1, max_length=MOST_COUNTRIES, description="Where it goes; everywhere when absent."
    )
    currency: Currency
    price: Price
    free_from: Price | None = Field(default=None, description="The goods' value from which it costs nothing.")
    tax_class: TaxClass = fields.STANDARD
    active: bool = True
    position: int = Field(default=0, ge=0, le=LARGEST_POSITION, description="The order in which they are offered.")


class ShippingMethodOut(BaseModel):
    id: str
    name: str
    countries: list[str] | None
    currency: str
    price: Money
    free_from: Money | None
    tax_class: str
    active: bool
    position: int


class TaxRateIn(Shape):
    rate: Annotated[
        Decimal,
        BeforeValidator(_as_decimal),
        AfterValidator(_rate),
        WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100, "examples": [19]}),
        Field(description="Per cent."),
    ]


class TaxRateOut(BaseModel):
    country: str
    tax_class: str
    rate: float


class MethodPath(Path):
    method_id: Id


class RatePath(Path):
    country: Country
    tax_class: Annotated[str, line(fields.LONGEST_TAX_CLASS, 1), AfterValidator(fields.product_id)]


class ShippingMethodsOut(RootModel[list[ShippingMethodOut]]):
    pass


class TaxRatesOut(RootModel[list[TaxRateOut]]):
    pass


class ImportedOut(BaseModel):
    rows: int = Field(description="How many the table has now: the file replaces it.")
