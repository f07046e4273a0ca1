"""Request and response schemas of orders."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel

from chassis.http.api import Headers, PageQuery, Path, Shape, line
from order_service.money import Money
from order_service.orders.rules import LARGEST_QTY, MOST_LINES

Status = Literal["placed", "cancelled"]


class LineIn(Shape):
    product_id: Annotated[str, line(100, 1)]
    qty: int = Field(default=1, ge=1, le=LARGEST_QTY)


class Address(Shape):
    recipient: Annotated[str, line(200, 1)] | None = None
    street: Annotated[str, line(200, 1)]
    city: Annotated[str, line(100, 1)]
    postal_code: Annotated[str, line(20, 1)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")]


class PlaceOrder(Shape):
    items: list[LineIn] = Field(min_length=1, max_length=MOST_LINES)
    ship_to: Address | None = None


class PlaceHeaders(Headers):
    idempotency_key: str | None = Field(
        default=None,
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Of the client's choice; the same key and body answer what they answered first.",
    )


class OrderPath(Path):
    order_id: str


class OrderQuery(PageQuery):
    status: Status | None = None


class LineOut(BaseModel):
    product_id: str
    name: str
    unit_price: Money
    qty: int
    line_total: Money


class Change(BaseModel):
    status: Status
    at: datetime


class OrderOut(BaseModel):
    order_id: str = Field(pattern=r"^o-[0-9a-f]{32}$")
    user: str | None
    status: Status
    items: list[LineOut]
    currency: str
    total: Money
    ship_to: Address | None
    placed_at: datetime
    history: list[Change]


class OrdersOut(RootModel[list[OrderOut]]):
    pass


class HeldOrder(OrderOut):
    idempotency_key: str | None


class ExportOut(BaseModel):
    user_id: str
    orders: list[HeldOrder]
