"""The settings of order-service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from chassis import settings

# The text search configurations of PostgreSQL 18.
# fmt: off
SearchLanguage = Literal[
    "simple", "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "estonian", "finnish", "french",
    "german", "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian",
    "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish",
]
# fmt: on


class Settings(settings.Settings):
    service: ClassVar[str] = "order-service"

    user_service_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        examples=["http://user-service:5001"],
        description="where its feed and keys are",
    )
    search_language: SearchLanguage = Field(
        default="english", description="whose word forms and stop words the search knows; after a change, run `migrate`"
    )
    session_feed_max_age_seconds: int = Field(
        default=900, ge=0, description="signed-in callers are refused when the feed is older; 0: never"
    )

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if self.user_service_url is None and (self.app_env != "local" or self.token_kind == "jwt"):
            yield "USER_SERVICE_URL is needed: for the keys that verify tokens, and the sessions that ended"
