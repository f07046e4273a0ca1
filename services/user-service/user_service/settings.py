"""What user-service reads from its environment."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from chassis import settings

DAY = 86_400


class Settings(settings.Settings):
    service: ClassVar[str] = "user-service"

    refresh_ttl_seconds: int = Field(default=30 * DAY, ge=60, le=365 * DAY, description="since the last refresh")
