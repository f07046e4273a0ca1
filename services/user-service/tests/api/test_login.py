from __future__ import annotations

import unicodedata
from collections.abc import Callable
from threading import Event, Thread
from time import sleep
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.auth.tokens import DemoTokens
from chassis.db.database import Database
from user_service.accounts.passwords import Passwords
from user_service.accounts.rules import account_key
from user_service.settings import Settings

Call = Callable[..., Any]


def test_login_returns_tokens_and_a_device_token(app: Flask, register: Call, login: Call, settings: Settings) -> None:
    # given
    user_id = register("Alice").json["id"]
    # when
    answer = login("Alice")
    # then
    body = answer.json
    caller, _ = DemoTokens(settings.token_secrets, 900).verify(body.pop("token"))
    assert answer.status_code == 200
    assert (caller.user_id, caller.username) == (user_id, "Alice")
    assert len(body.pop("refresh_token")) == 43
    assert app.services.devices.recognise(account_key("alice"), body.pop("device_token"))
    assert body == {"token_type": "Bearer", "expires_in": 900}


@pytest.mark.parametrize("around", [" ", "\t", "\n", "\u00a0", "\u3000"])
def test_username_is_trimmed_at_registration_and_sign_in(register: Call, login: Call, around: str) -> None:
    assert register(f"{around}alice{around}").json["username"] == "alice"
    assert register("alice").status_code == 409
    assert login(f"{around}alice{around}").status_code == 200


@pytest.mark.parametrize("username", ["\u00a8alice", "\u3000\u00b4alice", " " * 300 + "\uff41\uff4c\uff49\uff43\uff45"])
def test_sign_in_normalises_a_username_as_registration_does(register: Call, login: Call, username: str) -> None:
    stored = register(username).json["username"]
    assert stored == unicodedata.normalize("NFKC", username).strip()
    assert login(username).status_code == login(stored).status_code == 200


@pytest.mark.parametrize("token", ["x" * 257, 5, True, ["x"], {"x": 1}, None])
def test_any_other_device_token_counts_as_none(client: FlaskClient, register: Call, token: Any) -> None:
    register("alice")
    body = {"username": "alice", "password": "correct horse", "device_token": token}
    assert client.post("/login", json=body).status_code == 200


def test_password_is_not_trimmed(register: Call, login: Call) -> None:
    register("alice", " correct horse ")
    assert login("alice", " correct horse ").status_code == 200
    assert login("alice", "correct horse").status_code == 401


def test_refresh_token_is_trimmed(register: Call, login: Call, refresh: Call) -> None:
    register("alice")
    assert refresh(f" {login('alice').json['refresh_token']}\n").status_code == 200


def test_a_huge_password_is_refused_before_it_is_hashed(app: Flask, register: Call, login: Call) -> None:
    # given
    register("alice")
    app.services.passwords = Mock()
    # when
    answer = login("alice", "x" * 60_000)
    # then
    assert answer.status_code == 400
    app.services.passwords.match.assert_not_called()


def test_unknown_and_known_user_cost_one_password_verification(app: Flask, register: Call, login: Call) -> None:
    # given
    register("alice")
    passwords = app.services.passwords = Mock(wraps=app.services.passwords)
    # when
    login("alice", "wrong horse")
    login("nobody", "wrong horse")
    # then
    (_, known), (_, unknown) = (call.args for call in passwords.match.call_args_list)
    assert known.startswith("$argon2id$")
    assert unknown is None


def test_login_renews_a_hash_with_old_parameters(app: Flask, register: Call, login: Call, run: Call) -> None:
    # given
    register("alice")
    app.services.passwords = Passwords()
    # when
    wrong, right = login("alice", "wrong horse"), login("alice")
    # then
    assert (wrong.status_code, right.status_code) == (401, 200)
    [(stored,)] = run("SELECT password_hash FROM users")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert login("alice").status_code == 200
    assert run("SELECT password_hash FROM users") == [(stored,)]


def test_password_changed_during_the_check_opens_no_session(
    app: Flask, register: Call, login: Call, db: Database, run: Call
) -> None:
    # given
    register("alice")
    changed = Event()

    def change() -> None:
        with db.transaction() as connection:
            connection.execute("UPDATE users SET password_changed_at = clock_timestamp()")
            changed.set()
            sleep(0.3)  # lets the login wait for the row lock of this transaction

    def match(*_: Any) -> bool:
        Thread(target=change).start()
        return changed.wait(5)

    app.services.passwords = Mock(match=match, outdated=lambda _: False)
    # when
    answer = login("alice")
    # then
    assert (answer.status_code, answer.json["error"]) == (401, "invalid credentials")
    assert run("SELECT count(*) FROM sessions") == [(0,)]


def test_no_secret_is_stored_in_plain_text(register: Call, login: Call, run: Call) -> None:
    # given
    register("alice")
    refresh_token = login("alice").json["refresh_token"]
    # when
    [rows] = run("SELECT users::text, sessions::text, refresh_tokens::text FROM users, sessions, refresh_tokens")
    stored = " ".join(rows)
    # then
    assert "alice" in stored
    assert "correct horse" not in stored
    assert refresh_token not in stored
    assert refresh_token.encode().hex() not in stored


def test_login_deletes_the_users_expired_sessions(register: Call, login: Call, run: Call) -> None:
    # given
    register("alice")
    for _ in range(3):
        login("alice")
    run("UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id <> (SELECT max(id) FROM sessions)")
    # when
    login("alice")
    # then
    assert run("SELECT count(*) FROM sessions") == [(2,)]
    assert run("SELECT count(*) FROM refresh_tokens") == [(2,)]


def test_of_many_unknown_members_the_first_are_named(client: FlaskClient) -> None:
    answer = client.post("/login", json={f"m{number}": 1 for number in range(4000)})
    assert answer.status_code == 400
    assert len(answer.json["errors"]) == 20  # type: ignore[index]
    assert len(answer.data) < 10_000
