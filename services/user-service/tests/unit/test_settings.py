from __future__ import annotations

import pytest

from user_service.settings import Settings

URL = "postgresql://localhost/users"


def test_refresh_tokens_last_30_days_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(database_url=URL).refresh_ttl_seconds == 30 * 86_400
    monkeypatch.setenv("REFRESH_TTL_SECONDS", "3600")
    assert Settings(database_url=URL).refresh_ttl_seconds == 3600


def test_start_error_names_the_service_and_the_variable() -> None:
    with pytest.raises(SystemExit, match=r"(?s)user-service: cannot start.*REFRESH_TTL_SECONDS"):
        Settings(database_url=URL, refresh_ttl_seconds=1)


@pytest.mark.parametrize("url", ["", "memory", "memory://somewhere", "http://redis", "memcached://localhost"])
def test_rate_limit_storage_is_memory_redis_or_valkey(url: str) -> None:
    for good in ("memory://", "redis://cache:6379/0", "rediss://cache", "valkey://cache", "valkeys://cache"):
        assert Settings(database_url=URL, rate_limit_storage_url=good).rate_limit_storage_url == good
    with pytest.raises(SystemExit, match="RATE_LIMIT_STORAGE_URL"):
        Settings(database_url=URL, rate_limit_storage_url=url)
