"""Request and response schemas of orders."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypeAliasType

from chassis.http.api import Headers, PageQuery, Path, Shape, line
from chassis.http.postal import Address, AddressOut
from order_service.idempotency import Key
from order_service.money import Money
from order_service.orders.rules import LARGEST_QTY, MOST_LINES

# One named enumeration in the OpenAPI document, instead of one for each use.
OrderStatus = TypeAliasType("OrderStatus", Literal["placed", "cancelled"])


class LineIn(Shape):
    product_id: Annotated[str, line(100, 1)]
    qty: int = Field(default=1, ge=1, le=LARGEST_QTY, description="1 when absent.")


class PlaceOrder(Shape):
    items: list[LineIn] = Field(min_length=1, max_length=MOST_LINES)
    ship_to: Address | None = None


class PlaceHeaders(Headers):
    idempotency_key: Key | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="Of the client's choice; the same key and body answer what they answered first.",
    )


class OrderPath(Path):
    order_id: str


class OrderQuery(PageQuery):
    status: OrderStatus | None = None


class LineOut(BaseModel):
    product_id: str
    name: str
    unit_price: Money
    qty: int
    line_total: Money


class Change(BaseModel):
    status: OrderStatus
    at: datetime


class OrderOut(BaseModel):
    order_id: str = Field(pattern=r"^o-[0-9a-f]{32}$")
    user: str | None
    status: OrderStatus
    items: list[LineOut]
    currency: str
    total: Money
    ship_to: AddressOut | None
    placed_at: datetime
    history: list[Change]


class OrdersOut(RootModel[list[OrderOut]]):
    pass


class HeldOrder(OrderOut):
    idempotency_key: str | None


class ExportOut(BaseModel):
    user_id: str
    orders: list[HeldOrder]
