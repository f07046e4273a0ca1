"""Request and response schemas of payments."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from chassis.http.api import Path
from chassis.http.parsing import FileBody


class PaymentPageOut(BaseModel):
    url: str = Field(description="The provider's page, on which the customer pays.")
    pay_until: datetime = Field(description="The order is cancelled when it is not paid until then.")


class ProviderPath(Path):
    provider: str


class EventBody(FileBody):
    """An event as the provider sends it; its signature is over the raw bytes."""

    mimetypes = ["application/json"]  # noqa: RUF012 - the framework's
    largest = 256 * 1024


class EventOut(BaseModel):
    outcome: str = Field(description="What the event changed; for people.")
