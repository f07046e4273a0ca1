from __future__ import annotations

import pytest

from user_service.settings import Settings

URL = "postgresql://localhost/users"


def test_a_refresh_token_lives_for_thirty_days_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings(database_url=URL).refresh_ttl_seconds == 30 * 86_400
    monkeypatch.setenv("REFRESH_TTL_SECONDS", "3600")
    assert Settings(database_url=URL).refresh_ttl_seconds == 3600


def test_a_refusal_to_start_names_the_service_and_the_variable() -> None:
    with pytest.raises(SystemExit, match=r"(?s)user-service: cannot start.*REFRESH_TTL_SECONDS"):
        Settings(database_url=URL, refresh_ttl_seconds=1)


@pytest.mark.parametrize("url", ["", "memory", "memory://somewhere", "http://redis", "memcached://localhost"])
def test_attempts_are_counted_in_memory_or_in_redis_or_valkey_and_nowhere_else(url: str) -> None:
    for good in ("memory://", "redis://cache:6379/0", "rediss://cache", "valkey://cache", "valkeys://cache"):
        assert Settings(database_url=URL, rate_limit_storage_url=good).rate_limit_storage_url == good
    with pytest.raises(SystemExit, match="RATE_LIMIT_STORAGE_URL"):
        Settings(database_url=URL, rate_limit_storage_url=url)
