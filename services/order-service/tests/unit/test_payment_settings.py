from __future__ import annotations

from typing import Any

import pytest

from order_service.payments.providers import provider_of
from order_service.settings import Settings

URL = "postgresql://127.0.0.1:1/nowhere?sslmode=verify-full"
SECRET = "a-credential-of-more-than-32-characters"
CLUSTER: dict[str, Any] = {
    "database_url": URL,
    "user_service_url": "http://user-service:5001",
    "service_credential": (SECRET,),
    "token_secrets": (SECRET,),
    "allow_demo_tokens": True,
    "public_url": "https://shop.example",
}


@pytest.mark.parametrize("env", ["stage", "prod"])
def test_provider_for_tests_is_refused_where_money_is_taken(env: Any) -> None:
    with pytest.raises(SystemExit, match="PAYMENT_PROVIDER=test takes no money"):
        Settings(app_env=env, payment_provider="test", **CLUSTER)
    Settings(app_env=env, payment_provider="none", **CLUSTER)


def test_payments_need_an_https_origin_outside_local() -> None:
    plain = CLUSTER | {"public_url": "http://shop.example"}
    with pytest.raises(SystemExit, match="PUBLIC_URL: links in mails and customers"):
        Settings(app_env="dev", payment_provider="test", **plain)
    Settings(app_env="dev", payment_provider="none", **plain)
    Settings(app_env="dev", payment_provider="test", **CLUSTER)


def test_settings_name_the_provider() -> None:
    settings = Settings(database_url=URL, payment_provider="test")
    assert provider_of(settings, None).name == "test"  # type: ignore[arg-type,union-attr]
    assert provider_of(Settings(database_url=URL), None) is None  # type: ignore[arg-type]
