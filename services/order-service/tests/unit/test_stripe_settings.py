"""The settings of payments by Stripe."""

from __future__ import annotations

from typing import Any

import pytest

from order_service.settings import Settings

TEST, LIVE, WEBHOOK = "sk_test_" + "k" * 24, "sk_live_" + "k" * 24, "whsec_" + "w" * 32
BY_STRIPE = {"payment_provider": "stripe", "stripe_secret_key": TEST, "stripe_webhook_secret": WEBHOOK}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings_of(env: str = "local", **values: Any) -> Settings:
    outside: dict[str, Any] = {
        "token_kind": "jwt",
        "service_credential": "k" * 32,
        "user_service_url": "https://users.example",
        "public_url": "https://shop.example",
    }
    url = "postgresql://localhost/shop?sslmode=verify-full"
    return Settings(app_env=env, database_url=url, **(outside if env != "local" else {}), **values)


@pytest.mark.parametrize("env", ["local", "dev", "stage"])
@pytest.mark.parametrize("key", [TEST, "rk_test_" + "k" * 24])
def test_test_key_is_accepted_outside_prod(env: str, key: str) -> None:
    assert settings_of(env, **BY_STRIPE | {"stripe_secret_key": key}).stripe_secret_key == key


@pytest.mark.parametrize("key", [LIVE, "rk_live_" + "k" * 24])
def test_live_key_is_accepted_in_prod(key: str) -> None:
    assert settings_of("prod", **BY_STRIPE | {"stripe_secret_key": key}).stripe_secret_key == key


@pytest.mark.parametrize(
    ("env", "changed", "reason"),
    [
        ("local", {"stripe_secret_key": None}, "STRIPE_SECRET_KEY is needed with PAYMENT_PROVIDER=stripe"),
        ("local", {"stripe_webhook_secret": None}, "STRIPE_WEBHOOK_SECRET is needed with PAYMENT_PROVIDER=stripe"),
        (
            "local",
            {"stripe_secret_key": "pk_test_" + "k" * 24},
            r"STRIPE_SECRET_KEY: is not of the form sk_test_\.\.\.",
        ),
        ("local", {"stripe_webhook_secret": "w" * 32}, r"STRIPE_WEBHOOK_SECRET: is not of the form whsec_\.\.\."),
        ("local", {"stripe_secret_key": LIVE}, "a live key takes real money and is refused in local"),
        ("dev", {"stripe_secret_key": LIVE}, "a live key takes real money and is refused in dev"),
        ("stage", {"stripe_secret_key": LIVE}, "a live key takes real money and is refused in stage"),
        ("prod", {}, "a test key takes no money and is refused in prod"),
        ("stage", {"stripe_api_base": "http://mock:12111"}, "STRIPE_API_BASE is for tests"),
        ("prod", {"stripe_secret_key": LIVE, "stripe_api_base": "http://mock:12111"}, "STRIPE_API_BASE is for tests"),
    ],
)
def test_wrong_settings_stop_the_start_without_showing_a_key(env: str, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(SystemExit, match=reason) as refusal:
        settings_of(env, **BY_STRIPE | changed)

    assert not any(secret in str(refusal.value) for secret in ("kkkk", "wwww"))


@pytest.mark.parametrize("provider", ["none", "test"])
def test_other_providers_need_no_keys_of_stripe(provider: str) -> None:
    assert settings_of(payment_provider=provider).stripe_secret_key is None
