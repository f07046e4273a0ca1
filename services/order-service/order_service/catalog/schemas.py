"""Request and response schemas of the catalogue."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, RootModel, WithJsonSchema
from pydantic_core import PydanticCustomError

from chassis.http.api import PageQuery, Path, Query, identifier, line
from order_service.money import Money

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")


def _amount(value: Any) -> Any:
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        raise PydanticCustomError("amount", "must be an amount such as 19.99")
    return value


Amount = Annotated[
    Decimal, BeforeValidator(_amount), WithJsonSchema({"type": "string", "pattern": f"^{_AMOUNT.pattern}$"})
]


class Filters(Query):
    q: Annotated[str, line(200)] | None = Field(
        default=None,
        description="Words to look for in name, id and description, the last also as a beginning; best match first.",
    )
    category: Annotated[str, line(100)] | None = None
    group: Annotated[str, line(100)] | None = Field(default=None, description="The variants of one article.")
    in_stock: bool | None = Field(default=None, description="Only what can be bought now, or only what cannot.")
    price_min: Amount | None = Field(default=None, description="In the currency of each product.")
    price_max: Amount | None = None


class ProductQuery(PageQuery, Filters):
    sort: Literal["name", "price", "-price"] | None = None


class CategoryQuery(Query):
    """No parameters."""


class ProductPath(Path):
    product_id: Annotated[str, identifier(100)]


class ProductOut(BaseModel):
    id: str
    name: str
    description: str
    category: str
    price: Money
    currency: str
    available: int = Field(ge=0, description="Units in stock.")
    images: list[str] = Field(default=[], description="URLs; absent without images.")
    group: str = Field(default="", description="Shared by the variants of one article; absent without variants.")
    options: dict[str, str] = Field(default={}, description="What tells this variant from others, if it is one.")


class CategoryOut(BaseModel):
    name: str
    products: int = Field(ge=1, description="How many products it has.")


class CategoriesOut(RootModel[list[CategoryOut]]):
    pass


class ProductsOut(RootModel[list[ProductOut]]):
    pass
