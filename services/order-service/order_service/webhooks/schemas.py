"""Request and response schemas of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, RootModel
from typing_extensions import TypeAliasType

from chassis.http.api import PageQuery, Path, Shape
from order_service.events.rules import EventType, known_types

DeliveryStatus = TypeAliasType("DeliveryStatus", Literal["waiting", "delivered", "failed"])

Url = Annotated[str, Field(min_length=1, max_length=2000, description="By https; local, also by http.")]
Types = Annotated[
    list[str], AfterValidator(known_types), Field(min_length=1, max_length=100, description="Types of events.")
]


class WebhookIn(Shape):
    url: Url
    types: Types


class WebhookChange(Shape):
    url: Url | None = None
    types: Types | None = None
    active: bool | None = Field(default=None, description="An inactive webhook gets nothing, also not later.")


class WebhookPath(Path):
    webhook_id: str


class DeliveryPath(WebhookPath):
    event_id: str


class DeliveryQuery(PageQuery):
    status: DeliveryStatus | None = None


class WebhookOut(BaseModel):
    id: str = Field(pattern=r"^w-[0-9a-f]{32}$")
    url: str
    types: list[EventType]
    active: bool
    created_at: datetime


class WebhooksOut(RootModel[list[WebhookOut]]):
    pass


class NewWebhookOut(WebhookOut):
    secret: str = Field(pattern=r"^whsec_", description="Shown only here.")


class SecretOut(BaseModel):
    secret: str = Field(pattern=r"^whsec_", description="Shown only here.")
    old_secret_until: datetime = Field(description="Until then each delivery is signed with the old secret too.")


class DeliveryOut(BaseModel):
    event_id: str = Field(pattern=r"^e-[0-9a-f]{32}$")
    type: EventType
    status: DeliveryStatus
    attempts: int = Field(description="Since the event, or since its last replay.")
    response_status: int | None = Field(description="Of the last attempt; null without a response.")
    failure: str | None = Field(description="Why the last attempt failed.")
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class DeliveriesOut(RootModel[list[DeliveryOut]]):
    pass
