"""Request and response schemas of what staff do with products."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, RootModel, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from chassis.http.api import BLANK_IS_NONE, Headers, PageQuery, Query, Shape, WholeNumber, line
from chassis.http.parsing import FileBody
from order_service.catalog import csv_file, fields
from order_service.catalog.rules import RefusedRow
from order_service.catalog.schemas import Filters
from order_service.idempotency import Key
from order_service.money import Money


def _read(code: str, read: Callable[[Any], Any]) -> AfterValidator:
    """Return the validator that refuses what a reader of `fields` refuses, in its words."""

    def validate(value: Any) -> Any:
        try:
            return read(value)
        except ValueError as fault:
            raise PydanticCustomError(code, "{fault}", {"fault": str(fault)}) from fault

    return AfterValidator(validate)


def _as_text(value: Any) -> Any:
    """Return a number of a JSON document as it is written, without an exponent."""
    return value if isinstance(value, bool | str) else f"{Decimal(repr(value)):f}" if _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


Price = Annotated[
    str,
    BeforeValidator(_as_text),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 999_999_999, "examples": [19.99]}),
]
Currency = Annotated[str, _read("currency", fields.currency), Field(examples=["EUR"])]
Description = Annotated[str, Field(max_length=fields.LONGEST_DESCRIPTION), _read("description", fields.description)]
Images = Annotated[
    list[Annotated[str, _read("image", fields.image)]], Field(max_length=fields.MOST_IMAGES, description="URLs.")
]
Options = Annotated[
    dict[str, str],
    _read("options", fields.checked_options),
    Field(description="What tells this variant from the others of its group.", examples=[{"Size": "M"}]),
]
Group = Annotated[str, line(fields.LONGEST_ID), BLANK_IS_NONE]
Name = Annotated[str, line(fields.LONGEST_NAME, 1)]
Category = Annotated[str, line(fields.LONGEST_CATEGORY, 1)]
TaxClass = Annotated[str, line(fields.LONGEST_TAX_CLASS, 1)]


def _encoding(name: str) -> str:
    if name not in csv_file.ENCODINGS:
        raise ValueError(f"is none of {', '.join(csv_file.ENCODINGS)}")
    return name


class CreateProduct(Shape):
    id: Annotated[str, line(fields.LONGEST_ID, 1), _read("product_id", fields.product_id)]
    name: Name
    description: Description = ""
    category: Category
    price: Price
    currency: Currency
    stock: int = Field(default=0, ge=0, le=fields.LARGEST_STOCK)
    active: bool = True
    images: Images = Field(default=[])
    tax_class: TaxClass = fields.STANDARD
    group: Group | None = Field(default=None, description="Shared by the variants of one article.")
    options: Options = Field(default={})


class ChangeProduct(Shape):
    """The members to change; `price` needs its `currency`."""

    name: Name = ""
    description: Description = ""
    category: Category = ""
    price: Price = ""
    currency: Currency = ""
    active: bool = True
    images: Images = Field(default=[])
    tax_class: TaxClass = ""
    group: Group | None = None
    options: Options = Field(default={})


class AdjustStock(Shape):
    units: int = Field(ge=-fields.LARGEST_STOCK, le=fields.LARGEST_STOCK, description="To add, or below 0 to take.")
    reason: Annotated[str, line(200, 1)]

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.units == 0:
            raise PydanticCustomError("units", "units must not be 0")
        return self


class AdjustHeaders(Headers):
    idempotency_key: Key | None = Field(
        default=None, alias="Idempotency-Key", description="Of the client's choice; the same key moves units once."
    )


class StaffProductQuery(PageQuery, Filters):
    active: bool | None = None
    stock_max: WholeNumber | None = Field(
        default=None, ge=0, le=fields.LARGEST_STOCK, description="Only what has at most so many units."
    )
    sort: Literal["name", "price", "-price"] | None = None


class MovementsQuery(PageQuery):
    """One page of stock movements."""


class ImportQuery(Query):
    stock: Literal["keep", "set", "add"] = Field(
        default="keep", description="What the stock column does to known products."
    )
    deactivate_missing: bool = Field(default=False, description="Deactivate the products that the file does not have.")
    decimal: Literal["point", "comma"] | None = None
    encoding: Annotated[str, _read("encoding", _encoding)] | None = None
    source: Literal["shopify", "woocommerce"] | None = Field(default=None, description="The shop that wrote the file.")
    currency: Currency | None = Field(default=None, description="Of prices without one.")
    dry_run: bool = Field(default=False, description="Say what would change; change nothing.")


class CsvFile(FileBody):
    """The catalogue as docs/catalogue.md describes it."""

    mimetypes = ["text/csv"]  # noqa: RUF012 - the framework's


class StaffProductOut(BaseModel):
    id: str
    name: str
    description: str
    category: str
    price: Money
    currency: str
    stock: int
    active: bool
    images: list[str]
    tax_class: str
    group: str | None
    options: dict[str, str]


class StaffProductsOut(RootModel[list[StaffProductOut]]):
    pass


class MovementOut(BaseModel):
    at: datetime
    kind: Literal["opening", "sale", "cancellation", "adjustment", "import", "refund"]
    units: int
    order_id: str | None
    reason: str | None


class MovementsOut(RootModel[list[MovementOut]]):
    pass


class ChangeOut(BaseModel):
    line: int
    product_id: str
    change: Literal["added", "updated"]
    fields: dict[str, Any] = Field(description="Each changed member with its value `before` and `after`.")


class ImportOut(BaseModel):
    dry_run: bool
    added: int
    updated: int
    unchanged: int
    deactivated: int
    stock_changed: int
    notes: list[str] = Field(description="How the file was read.")
    changes: list[ChangeOut] = Field(description="The first hundred.")
    refused: int
    rows: list[RefusedRow] = Field(description="The first hundred refused rows of a dry run.")
