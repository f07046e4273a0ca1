"""Schemas that validate a page of the session feed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from chassis.http.api import line

Id = Annotated[str, line(100, 1)]


class EndingIn(BaseModel):
    version: int = Field(ge=1, le=2**63 - 1)
    at: datetime
    session_id: Id | None
    user_id: Id | None


class FeedIn(BaseModel):
    endings: list[EndingIn]
