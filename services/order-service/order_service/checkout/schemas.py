"""Request and response schemas of quotes, and the parts that orders share with them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from chassis.http.api import Shape, line
from chassis.http.postal import Country
from order_service.checkout.limits import LARGEST_QTY, MOST_LINES
from order_service.money import Money


class LineIn(Shape):
    product_id: Annotated[str, line(100, 1)]
    qty: int = Field(default=1, ge=1, le=LARGEST_QTY, description="1 when absent.")


Lines = Annotated[list[LineIn], Field(min_length=1, max_length=MOST_LINES)]
MethodId = Annotated[str, line(100, 1), Field(description="A shipping method of `POST /orders/quote`.")]


class QuoteIn(Shape):
    items: Lines
    country: Country | None = Field(default=None, description="Where to send it; no shipping and no tax when absent.")
    shipping_method: MethodId | None = None


class QuotedLine(BaseModel):
    product_id: str
    name: str
    unit_price: Money
    qty: int
    line_total: Money
    available: int


class ShortProduct(BaseModel):
    product_id: str
    wanted: int
    available: int


class ShippingOffer(BaseModel):
    id: str
    name: str
    price: Money


class ShippingOut(BaseModel):
    method: str
    name: str
    price: Money


class RateOut(BaseModel):
    rate: float = Field(description="Per cent.", json_schema_extra={"examples": [19.0]})
    net: Money
    tax: Money


class TaxOut(BaseModel):
    included: bool = Field(description="The prices include the tax; otherwise it is added to the total.")
    total: Money
    rates: list[RateOut]


class QuoteOut(BaseModel):
    items: list[QuotedLine]
    shortages: list[ShortProduct] = Field(description="What there is too little of.")
    currency: str
    shipping_methods: list[ShippingOffer] = Field(description="Those of this country; an order must choose one.")
    shipping: ShippingOut | None
    tax: TaxOut | None
    total: Money
