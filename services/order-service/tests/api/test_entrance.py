"""Tokens that this service accepts; the golden cases show refused tokens."""

from __future__ import annotations

from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer, closing
from order_service import create_app
from order_service.settings import Settings


def test_an_older_key_still_verifies_and_an_unknown_one_does_not(settings: Settings) -> None:
    with closing(create_app(settings.model_copy(update={"token_secrets": ("n" * 40, LOCAL_SECRET)}))) as rotated:
        client = rotated.test_client()
        assert client.get("/orders", headers=bearer("u-alice", "alice")).status_code == 200
        assert client.get("/orders", headers=bearer(secret="n" * 40)).status_code == 200
        assert client.get("/orders", headers=bearer(secret="o" * 40)).status_code == 401
