"""Request and response schemas of the catalogue."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from chassis.http.api import PageQuery, Path, Query, identifier, line
from order_service.money import Money


class ProductQuery(PageQuery):
    q: Annotated[str, line(200)] | None = Field(
        default=None, description="Words to look for in name and description; best match first."
    )
    category: Annotated[str, line(100)] | None = None
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


class CategoryOut(BaseModel):
    name: str
    products: int = Field(ge=1, description="How many products it has.")


class CategoriesOut(RootModel[list[CategoryOut]]):
    pass


class ProductsOut(RootModel[list[ProductOut]]):
    pass
