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
    prices_include_tax: bool = Field(
        default=True, description="the catalogue's prices include the tax; otherwise it is added to the total"
    )
    payment_provider: Literal["none", "test", "stripe"] = Field(
        default="none", description="who takes payments; `none`: orders need none, `test`: a page of our own"
    )
    public_url: str = Field(
        default="http://localhost:5002",
        pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?/?$",
        examples=["https://shop.example"],
        description="where browsers reach the pages; links in mails and the payment page lead there",
    )
    payment_window_minutes: int = Field(
        default=30, ge=1, le=1380, description="an order that is not paid by then is cancelled"
    )
    stripe_secret_key: str | None = Field(
        default=None,
        pattern=r"^[sr]k_(org_)?(test|live)_",
        examples=["sk_test_...", "sk_live_..."],
        description="the key of a Stripe account, for PAYMENT_PROVIDER=stripe",
    )
    stripe_webhook_secret: str | None = Field(
        default=None,
        pattern=r"^whsec_",
        examples=["whsec_..."],
        description="what Stripe signs events of the shop's endpoint with",
    )
    stripe_api_base: str | None = Field(
        default=None,
        pattern=r"^https?://",
        examples=["http://127.0.0.1:12111"],
        description="for tests: not Stripe itself",
    )
    most_unpaid_orders: int = Field(
        default=5, ge=1, le=1000, description="of one product that may wait for one account's payment"
    )
    most_unpaid_units: int = Field(
        default=50, ge=1, le=100_000, description="of one product that may wait for one account's payment"
    )

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if self.user_service_url is None and (self.app_env != "local" or self.token_kind == "jwt"):
            yield "USER_SERVICE_URL is needed: for the keys that verify tokens, and the sessions that ended"
        wanted = self.payment_provider != "none" or self.mail_url
        if self.https and wanted and not self.public_url.startswith("https:"):
            yield "PUBLIC_URL: links in mails and customers who have paid lead there: set the https origin of the shop"
        if self.payment_provider == "test" and self.app_env in {"stage", "prod"}:
            yield "PAYMENT_PROVIDER=test takes no money: it is for local and dev only"
        yield from self._stripe_faults()

    def _stripe_faults(self) -> Iterator[str]:
        if self.stripe_api_base and self.app_env in {"stage", "prod"}:
            yield "STRIPE_API_BASE is for tests: it is refused in stage and prod"
        if self.payment_provider != "stripe":
            return
        if self.stripe_secret_key is None:
            yield "STRIPE_SECRET_KEY is needed with PAYMENT_PROVIDER=stripe: the secret key of Stripe's dashboard"
        elif ("_live_" in self.stripe_secret_key) != (self.app_env == "prod"):
            yield (
                "STRIPE_SECRET_KEY: a test key takes no money and is refused in prod: use sk_live_..."
                if self.app_env == "prod"
                else f"STRIPE_SECRET_KEY: a live key takes real money and is refused in {self.app_env}: use sk_test_..."
            )
        if self.stripe_webhook_secret is None:
            yield (
                "STRIPE_WEBHOOK_SECRET is needed with PAYMENT_PROVIDER=stripe: it is shown with the endpoint that "
                "Stripe sends events to"
            )
