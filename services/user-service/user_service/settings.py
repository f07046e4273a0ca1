"""The settings of user-service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from chassis import settings

DAY = 86_400


class Settings(settings.Settings):
    service: ClassVar[str] = "user-service"

    refresh_ttl_seconds: int = Field(default=30 * DAY, ge=60, le=365 * DAY, description="since the last refresh")
    session_max_age_seconds: int = Field(
        default=90 * DAY, ge=60, le=3650 * DAY, description="since sign-in, however often it is refreshed"
    )
    token_keys_file: Path | None = Field(default=None, description="private keys of TOKEN_KIND=jwt")
    rate_limit_storage_url: str = Field(
        default="memory://",
        pattern=r"^(memory://$|(redis|valkey)s?://)",
        examples=["memory://", "valkey://host:6379"],
        description="where attempts are counted",
    )
    rate_limit_per_address: int = Field(default=600, ge=1, description="attempts a minute, each route for itself")
    public_url: str = Field(
        default="http://localhost:5001",
        pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?/?$",
        examples=["https://shop.example"],
        description="where browsers reach the pages; links in mails begin with it",
    )
    threads: int = Field(default=settings.THREADS, ge=1, le=64, description="the server's, per worker")

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if self.https and self.mail_url and not self.public_url.startswith("https:"):
            yield "PUBLIC_URL: links in mails lead there: set the https origin of the shop, such as https://shop.example"
        if self.token_kind == "jwt" and self.token_keys_file is None:
            yield "TOKEN_KIND=jwt needs TOKEN_KEYS_FILE; `user-service keys generate FILE` makes one"
