"""A client that repeats a refresh gets the same answer; anybody else who uses the token again ends the session."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from user_service.sessions import refresh_tokens
from user_service.sessions.refresh_tokens import REUSE_LEEWAY_SECONDS

Call = Callable[..., Any]
LIVE = "SELECT count(*) FROM sessions WHERE ended_at IS NULL"
ROUNDS = 10


@pytest.fixture
def token(register: Call, login: Call) -> str:
    """Return the refresh token of Alice's new session."""
    register("alice")
    return str(login("alice").json["refresh_token"])


def test_repeated_refresh_gets_the_same_successor_which_works(client: FlaskClient, refresh: Call, token: str) -> None:
    # when
    answers = [refresh(token) for _ in range(3)]
    # then
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    (successor,) = {answer.json["refresh_token"] for answer in answers}
    for answer in answers:
        owner = {"Authorization": f"Bearer {answer.json['token']}"}
        assert client.get("/profile", headers=owner).status_code == 200
    assert refresh(successor).status_code == 200


def test_two_tabs_that_refresh_at_once_get_the_same_successor(app: Flask, token: str, run: Call) -> None:
    # given
    together = Barrier(2)

    def tab(presented: str) -> Any:
        together.wait()
        return app.test_client().post("/token/refresh", json={"refresh_token": presented})

    # when
    with ThreadPoolExecutor(2) as tabs:
        for _ in range(ROUNDS):
            answers = list(tabs.map(tab, [token, token]))
            # then
            assert [answer.status_code for answer in answers] == [200, 200]
            (token,) = {answer.json["refresh_token"] for answer in answers}
    assert run(LIVE) == [(1,)]
    assert run("SELECT count(*) FROM refresh_tokens") == [(ROUNDS + 1,)]


def test_repetition_after_the_leeway_ends_the_session(refresh: Call, token: str, run: Call) -> None:
    successor = refresh(token).json["refresh_token"]
    run("UPDATE sessions SET last_used_at = now() - make_interval(secs => %(age)s)", age=REUSE_LEEWAY_SECONDS)
    assert refresh(token).json["code"] == "invalid_refresh_token"
    assert refresh(successor).status_code == 401
    assert run(LIVE) == [(0,)]


def test_repetitions_do_not_prolong_the_leeway(refresh: Call, token: str, run: Call) -> None:
    refresh(token)
    run("UPDATE sessions SET last_used_at = now() - make_interval(secs => %(age)s)", age=REUSE_LEEWAY_SECONDS / 2)
    before = run("SELECT last_used_at, expires_at FROM sessions")
    assert refresh(token).status_code == 200
    assert run("SELECT last_used_at, expires_at FROM sessions") == before


@pytest.mark.parametrize(
    "other",
    [
        {"HTTP_USER_AGENT": "another"},
        {"HTTP_USER_AGENT": ""},
        {"REMOTE_ADDR": "198.51.100.7"},
        {"REMOTE_ADDR": "2001:db8:0:1::1"},
    ],
)
def test_repetition_by_another_client_ends_the_session(
    refresh: Call, token: str, run: Call, other: dict[str, str]
) -> None:
    usual = {"HTTP_USER_AGENT": "tab", "REMOTE_ADDR": "2001:db8::1"}
    successor = refresh(token, **usual).json["refresh_token"]
    assert refresh(token, **(usual | other)).status_code == 401
    assert refresh(successor, **usual).status_code == 401
    assert run(LIVE) == [(0,)]


def test_repetition_from_the_same_ipv6_network_is_the_same_client(refresh: Call, token: str) -> None:
    assert refresh(token, REMOTE_ADDR="2001:db8::1").status_code == 200
    assert refresh(token, REMOTE_ADDR="2001:db8::ffff:2").status_code == 200


def test_repetition_after_sign_out_is_refused(client: FlaskClient, refresh: Call, token: str) -> None:
    access = refresh(token).json["token"]
    assert client.post("/logout", headers={"Authorization": f"Bearer {access}"}).status_code == 204
    assert refresh(token).json["code"] == "invalid_refresh_token"


def test_database_holds_neither_the_token_nor_its_successor(refresh: Call, token: str, run: Call) -> None:
    successor = refresh(token).json["refresh_token"]
    [(key,)] = run("SELECT successor_key FROM sessions")
    assert refresh_tokens.successor(token, key) == successor
    for table in ("sessions", "refresh_tokens"):
        stored = str(run(f"SELECT t FROM {table} t"))
        for secret in (token, successor):
            assert secret not in stored
            assert secret.encode().hex() not in stored
