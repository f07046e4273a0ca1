from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient

from chassis.testing.http import closing
from user_service import create_app
from user_service.accounts.passwords import Passwords
from user_service.settings import Settings

Call = Callable[..., Any]
Tokens = dict[str, Any]
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def signed_in(register: Call, login: Call) -> Tokens:
    """Return the response to Alice's login."""
    register("alice")
    tokens: Tokens = login("alice").json
    return tokens


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['token']}"}


def test_refresh_extends_the_session_and_records_its_use(refresh: Call, signed_in: Tokens, run: Call) -> None:
    # given
    run("UPDATE sessions SET last_used_at = last_used_at - interval '1 day', expires_at = now() + interval '1 hour'")
    # when
    refresh(signed_in["refresh_token"])
    # then
    [(idle, left)] = run("SELECT now() - last_used_at AS idle, expires_at - now() AS rest FROM sessions")
    assert idle.total_seconds() < 60
    assert 29 < left.total_seconds() / 86_400 <= 30


def test_use_of_a_refresh_token_after_its_successor_ends_the_session(
    client: FlaskClient, refresh: Call, signed_in: Tokens, run: Call
) -> None:
    # given
    second = refresh(signed_in["refresh_token"]).json
    third = refresh(second["refresh_token"]).json
    # when
    again = refresh(signed_in["refresh_token"])
    # then
    assert (again.status_code, again.json["code"]) == (401, "invalid_refresh_token")
    assert again.json["error"] == "invalid refresh token"
    assert refresh(third["refresh_token"]).status_code == 401
    assert client.get("/profile", headers=bearer(third)).json["error"] == "invalid token"
    assert run("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


def test_reused_refresh_token_ends_only_its_own_session(
    client: FlaskClient, refresh: Call, login: Call, signed_in: Tokens
) -> None:
    # given
    other = login("alice").json
    # when
    refresh(signed_in["refresh_token"])
    refresh(signed_in["refresh_token"], HTTP_USER_AGENT="another")
    # then
    assert client.get("/profile", headers=bearer(signed_in)).status_code == 401
    assert client.get("/profile", headers=bearer(other)).status_code == 200
    assert refresh(other["refresh_token"]).status_code == 200


def test_session_ends_at_its_maximum_age_however_often_it_is_refreshed(
    refresh: Call, signed_in: Tokens, run: Call
) -> None:
    # given
    run("UPDATE sessions SET created_at = now() - interval '89 days'")
    # when
    successor = refresh(signed_in["refresh_token"]).json["refresh_token"]
    # then
    [(left,)] = run("SELECT expires_at - now() AS rest FROM sessions")
    assert 23 * 3600 < left.total_seconds() <= 24 * 3600
    run("UPDATE sessions SET created_at = now() - interval '90 days', expires_at = now() + interval '1 day'")
    assert refresh(successor).json["error"] == "invalid refresh token"


def test_maximum_age_below_the_idle_lifetime_limits_a_new_session(
    settings: Settings, register: Call, run: Call
) -> None:
    register("alice")
    account = {"username": "alice", "password": "correct horse"}
    with closing(create_app(settings.model_copy(update={"session_max_age_seconds": 3600}))) as app:
        app.services.passwords = Passwords(QUICK)  # type: ignore[attr-defined]
        assert app.test_client().post("/login", json=account).status_code == 200
    [(left,)] = run("SELECT expires_at - now() AS rest FROM sessions")
    assert 3500 < left.total_seconds() <= 3600


def test_an_expired_refresh_token_is_refused(refresh: Call, signed_in: Tokens, run: Call) -> None:
    run("UPDATE sessions SET expires_at = now() - interval '1 second'")
    assert refresh(signed_in["refresh_token"]).json["error"] == "invalid refresh token"


def test_used_refresh_token_is_deleted_after_its_lifetime(refresh: Call, signed_in: Tokens, run: Call) -> None:
    # given
    third = refresh(refresh(signed_in["refresh_token"]).json["refresh_token"]).json["refresh_token"]
    run("""UPDATE refresh_tokens SET created_at = now() - interval '31 days'
           WHERE created_at = (SELECT min(created_at) FROM refresh_tokens)""")
    # when
    refresh(third)
    # then
    assert run("SELECT uses FROM refresh_tokens ORDER BY created_at") == [(1,), (1,), (0,)]


def test_logout_ends_only_the_callers_session(
    client: FlaskClient, login: Call, refresh: Call, signed_in: Tokens
) -> None:
    # given
    other = login("alice").json
    # when
    answer = client.post("/logout", headers=bearer(signed_in))
    # then
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get("/profile", headers=bearer(signed_in)).json["error"] == "invalid token"
    assert client.post("/logout", headers=bearer(signed_in)).json["error"] == "invalid token"
    assert refresh(signed_in["refresh_token"]).status_code == 401
    assert client.get("/profile", headers=bearer(other)).status_code == 200


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("shop-app/1.0 (Android)", "shop-app/1.0 (Android)"),
        ("", None),
        ("a\t\x7fb\x9f", "ab"),
        ("Mozilla\x1b[2J\r\nX: y\x00\u202e", "Mozilla[2JX: y"),
        ("x" * 5000, "x" * 200),
    ],
)
def test_session_stores_the_printable_part_of_the_user_agent(
    client: FlaskClient, register: Call, run: Call, sent: str, kept: str | None
) -> None:
    register("alice")
    account = {"username": "alice", "password": "correct horse"}
    client.post("/login", json=account, environ_overrides={"HTTP_USER_AGENT": sent})
    assert run("SELECT user_agent FROM sessions") == [(kept,)]
