"""Request and response schemas of refunds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.http import api
from chassis.http.api import Headers, Shape
from order_service.checkout.limits import LARGEST_QTY, MOST_LINES
from order_service.idempotency import Key
from order_service.money import Money
from order_service.orders.schemas import OrderPath


class RefundLine(Shape):
    """Units of one line, which `line` or `product_id` names."""

    line: int | None = Field(default=None, ge=1, le=1000)
    product_id: Annotated[str, api.line(100, 1)] | None = None
    qty: int = Field(ge=1, le=LARGEST_QTY)

    @model_validator(mode="after")
    def _names_one_line(self) -> Self:
        if (self.line is None) == (self.product_id is None):
            raise PydanticCustomError("refund_line", "name the line by either `line` or `product_id`")
        return self


class RefundIn(Shape):
    """Either `lines` and `shipping`, or an `amount`."""

    lines: list[RefundLine] = Field(default=[], max_length=MOST_LINES)
    shipping: bool = Field(default=False, description="Refund what the shipping cost too.")
    amount: float | None = Field(
        default=None, gt=0, le=10**13, allow_inf_nan=False, description="In the order's currency."
    )
    restock: bool = Field(default=False, description="The units of `lines` return to the stock.")
    reason: Annotated[str, api.line(200, 1)] = Field(description="For the audit; the customer does not see it.")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if (self.amount is None) != bool(self.lines or self.shipping):
            raise PydanticCustomError("refund", "refund either `lines` and `shipping`, or an `amount`")
        if self.restock and not self.lines:
            raise PydanticCustomError("restock", "`restock` needs `lines`: an amount has no units")
        return self


class RefundPath(OrderPath):
    refund_id: str


class RefundHeaders(Headers):
    idempotency_key: Key = Field(
        alias="Idempotency-Key", description="Of the client's choice; the same key and body refund once."
    )


class RefundLineOut(BaseModel):
    line: int
    qty: int


class RefundOut(BaseModel):
    refund_id: str = Field(pattern=r"^r-[0-9a-f]{32}$")
    order_id: str
    amount: Money
    currency: str
    status: Literal["pending"] = Field(description="`GET /admin/orders/<order_id>` shows what became of it.")
    lines: list[RefundLineOut] | None = Field(description="Null: an amount.")
    shipping: bool
    created_at: datetime
