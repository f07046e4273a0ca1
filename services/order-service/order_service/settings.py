"""What order-service reads from its environment."""

from __future__ import annotations

from typing import ClassVar

from chassis import settings


class Settings(settings.Settings):
    service: ClassVar[str] = "order-service"
