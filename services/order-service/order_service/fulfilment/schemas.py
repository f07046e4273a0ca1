"""Request and response schemas of what staff do with orders."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, RootModel
from pydantic_core import PydanticCustomError

from chassis.http.api import BLANK_IS_NONE, PageQuery, Query, Shape, line
from chassis.http.email import Email
from chassis.http.postal import Address
from order_service.money import Money
from order_service.orders.schemas import OrderOut
from order_service.orders.states import OrderStatus, PaymentStatus

_SPACES = re.compile(r"[\s\\]")


def _https(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        fits = False
    if url and (not fits or _SPACES.search(url)):
        raise PydanticCustomError("https_url", "is no web address: write one such as https://carrier.example/track/1")
    return url


class StaffOrderQuery(PageQuery):
    number: Annotated[str, line(60, 1)] | None = Field(
        default=None, description="In any spelling: `7k2m 9qdx 41tb` too, O for 0, I or L for 1."
    )
    email: Annotated[str, line(254, 1)] | None = Field(default=None, description="Exactly, but for capitals.")
    name: Annotated[str, line(200, 1)] | None = Field(
        default=None, description="The beginning of the recipient's name, but for capitals."
    )
    user_id: Annotated[str, line(200, 1)] | None = None
    status: OrderStatus | None = None
    payment: PaymentStatus | None = None
    since: AwareDatetime | None = Field(default=None, description="With a time zone, such as `2026-11-27T08:00:00Z`.")
    until: AwareDatetime | None = Field(default=None, description="The first moment that is not listed any more.")


class ExportQuery(Query):
    since: AwareDatetime | None = Field(default=None, description="With a time zone, such as `2026-11-01T00:00:00Z`.")
    until: AwareDatetime | None = Field(default=None, description="The first moment that is not exported any more.")


class Shipment(Shape):
    carrier: Annotated[Annotated[str, line(100)] | None, BLANK_IS_NONE] = None
    tracking_number: Annotated[Annotated[str, line(100)] | None, BLANK_IS_NONE] = None
    tracking_url: Annotated[Annotated[str, line(1000), AfterValidator(_https)] | None, BLANK_IS_NONE] = Field(
        default=None, description="Begins with https://", examples=["https://carrier.example/track/1"]
    )


class Cancellation(Shape):
    reason: Annotated[str, line(200, 1)] = Field(description="For the audit; the customer does not see it.")


class ChangeContact(Shape):
    """The members to change."""

    ship_to: Address = Field(default=None)  # type: ignore[assignment]
    email: Annotated[Email, Field(min_length=1)] = ""


class StaffLineOut(BaseModel):
    line: int
    product_id: str
    name: str
    qty: int
    refunded_qty: int
    total: Money = Field(description="Of all units, tax included.")


class RefundableOut(BaseModel):
    amount: Money = Field(description="What was paid and not refunded yet.")
    shipping: Money = Field(description="0 when it was refunded; tax included.")


class PaymentRecord(BaseModel):
    payment_id: str
    provider: str
    reference: str | None = Field(description="At the provider.")
    status: str
    accepted: bool = Field(description="It pays the order; another one that was paid is refunded.")
    amount: Money
    currency: str
    paid: Money | None
    paid_currency: str | None
    created_at: datetime
    paid_at: datetime | None


class RefundedLine(BaseModel):
    line: int
    qty: int


class RefundRecord(BaseModel):
    refund_id: str
    payment_id: str
    amount: Money
    currency: str
    reason: str
    status: str
    failure: str | None
    lines: list[RefundedLine] | None = Field(description="Null: an amount.")
    shipping: bool
    created_at: datetime
    finished_at: datetime | None
    retriable: bool = Field(description="`POST /admin/orders/<order_id>/refunds/<refund_id>/retry` returns it.")


class StaffOrderOut(OrderOut):
    user_id: str
    email_refused_at: datetime | None = Field(description="When a mail server refused the address for good.")
    lines: list[StaffLineOut]
    refundable: RefundableOut
    payments: list[PaymentRecord]
    refunds: list[RefundRecord]


class StaffOrdersOut(RootModel[list[StaffOrderOut]]):
    pass
