"""Request and response schemas of the log of events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from chassis.http.api import PageQuery, WholeNumber
from order_service.events.rules import EventType, known_types
from order_service.money import Money
from order_service.orders.states import OrderStatus


def _list(text: str) -> str:
    return ",".join(known_types([name.strip() for name in text.split(",")]))


class EventQuery(PageQuery):
    limit: WholeNumber = Field(default=100, ge=1, le=1000, description="How many at most.")
    after: str | None = Field(default=None, max_length=200, description="Opaque: `next` of the last response.")
    types: Annotated[str, AfterValidator(_list)] | None = Field(
        default=None, max_length=1000, description="Only these, with commas between them; all when absent."
    )


class EventData(BaseModel):
    order_id: str = Field(pattern=r"^o-[0-9a-f]{32}$")
    status: OrderStatus
    total: Money
    currency: str
    amount: Money | None = Field(description="What was paid or refunded; null for other events.")


class EventOut(BaseModel):
    id: str = Field(pattern=r"^e-[0-9a-f]{32}$", description="The same in `GET /events` and in each webhook.")
    type: EventType
    timestamp: datetime
    data: EventData


class EventsOut(BaseModel):
    events: list[EventOut] = Field(description="Oldest first.")
    next: str | None = Field(description="The position behind these events: `after` of the next request.")
    more: bool = Field(description="There may be more events already: ask again at once.")
