from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

Call = Callable[..., Any]
Tokens = dict[str, Any]


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


def test_a_refresh_token_works_once_and_a_second_use_ends_the_session(
    client: FlaskClient, refresh: Call, signed_in: Tokens, run: Call
) -> None:
    # given
    successor = refresh(signed_in["refresh_token"]).json
    # when
    again = refresh(signed_in["refresh_token"])
    # then
    assert (again.status_code, again.json["code"]) == (401, "invalid_refresh_token")
    assert again.json["error"] == "invalid refresh token"
    assert refresh(successor["refresh_token"]).status_code == 401
    assert client.get("/profile", headers=bearer(successor)).json["error"] == "invalid token"
    assert run("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


def test_reused_refresh_token_ends_only_its_own_session(
    client: FlaskClient, refresh: Call, login: Call, signed_in: Tokens
) -> None:
    # given
    other = login("alice").json
    # when
    refresh(signed_in["refresh_token"])
    refresh(signed_in["refresh_token"])
    # then
    assert client.get("/profile", headers=bearer(other)).status_code == 200
    assert refresh(other["refresh_token"]).status_code == 200


def test_of_racing_refreshes_with_one_token_one_wins_and_the_session_ends(
    app: Flask, signed_in: Tokens, run: Call
) -> None:
    # given
    def race(_: int) -> int:
        body = {"refresh_token": signed_in["refresh_token"]}
        return app.test_client().post("/token/refresh", json=body).status_code

    # when
    with ThreadPoolExecutor(8) as racers:
        outcomes = Counter(racers.map(race, range(8)))
    # then
    assert outcomes == {200: 1, 401: 7}
    assert run("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]
    assert run("SELECT count(*) FROM refresh_tokens") == [(2,)]


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
