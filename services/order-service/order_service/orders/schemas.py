"""Request and response schemas of orders."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, RootModel

from chassis.http.api import Headers, PageQuery, Path, Shape
from chassis.http.email import Email, OptionalEmail
from chassis.http.postal import Address, AddressOut
from order_service.checkout.schemas import Lines, MethodId, ShippingOut, TaxOut
from order_service.idempotency import Key
from order_service.money import Money
from order_service.orders.states import OrderStatus, PaymentStatus


class PlaceOrder(Shape):
    items: Lines
    ship_to: Address | None = None
    email: OptionalEmail = Field(default=None, description="For mails about this order.")
    shipping_method: MethodId | None = Field(
        default=None, description="Of `POST /orders/quote`; needed when it lists some for the country of `ship_to`."
    )
    expected_total: float | None = Field(
        default=None, ge=0, le=10**15, description="The total of the quote; another one is refused as `price_changed`."
    )


class Delivery(Address):
    """What the checkout's page asks for; an order without an email cannot be shipped."""

    email: Email

    @property
    def address(self) -> dict[str, Any]:
        return self.model_dump(exclude={"email"})


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


class PaymentOut(BaseModel):
    status: PaymentStatus
    pay_until: datetime | None = Field(description="The order is cancelled when it is not paid until then.")
    paid: Money
    refunded: Money = Field(description="Of what was paid, refunds under way included.")


class ShipmentOut(BaseModel):
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    shipped_at: datetime


class OrderOut(BaseModel):
    order_id: str = Field(pattern=r"^o-[0-9a-f]{32}$")
    number: str = Field(description="For people.", json_schema_extra={"examples": ["7K2M-9QDX-41TB"]})
    user: str | None
    status: OrderStatus
    items: list[LineOut]
    currency: str
    shipping: ShippingOut | None
    tax: TaxOut | None
    total: Money
    email: str | None
    ship_to: AddressOut | None
    payment: PaymentOut
    shipment: ShipmentOut | None
    placed_at: datetime
    history: list[Change]


class OrdersOut(RootModel[list[OrderOut]]):
    pass


class HeldPayment(BaseModel):
    provider: str
    provider_id: str | None
    reference: str | None
    status: str
    accepted: bool
    amount: Money
    currency: str
    created_at: datetime
    paid_at: datetime | None


class HeldRefund(BaseModel):
    amount: Money
    currency: str
    reason: str
    status: str
    provider_id: str | None
    created_at: datetime
    finished_at: datetime | None


class HeldOrder(OrderOut):
    idempotency_key: str | None
    email_refused_at: datetime | None
    payments: list[HeldPayment]
    refunds: list[HeldRefund]


class ExportOut(BaseModel):
    user_id: str
    orders: list[HeldOrder]
