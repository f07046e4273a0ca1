from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from time import sleep
from typing import Any
from unittest.mock import Mock

from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from user_service.sessions import statements

Call = Callable[..., Any]
Headers = dict[str, str]

CHANGE = {"current_password": "correct horse", "new_password": "battery staple"}


def test_a_new_password_replaces_the_old_one(client: FlaskClient, login: Call, alice: Headers) -> None:
    answer = client.post("/profile/password", headers=alice, json=CHANGE)
    assert (answer.status_code, answer.data) == (204, b"")
    assert login("alice", "correct horse").status_code == 401
    assert login("alice", "battery staple").status_code == 200


def test_a_new_password_ends_all_other_sessions_and_their_refresh_tokens(
    client: FlaskClient, login: Call, refresh: Call, sign_in: Call, alice: Headers
) -> None:
    # given
    other, stolen = sign_in("alice"), login("alice").json["refresh_token"]
    # when
    client.post("/profile/password", headers=alice, json=CHANGE)
    # then
    assert client.get("/profile", headers=alice).status_code == 200
    assert client.get("/profile", headers=other).json["error"] == "invalid token"
    assert refresh(stolen).status_code == 401


def test_new_password_ends_no_other_users_sessions(
    client: FlaskClient, register: Call, sign_in: Call, alice: Headers
) -> None:
    # given
    register("bob")
    bob = sign_in("bob")
    # when
    client.post("/profile/password", headers=alice, json=CHANGE)
    # then
    assert client.get("/profile", headers=bob).status_code == 200


def test_new_password_ends_a_session_opened_concurrently(
    client: FlaskClient, alice: Headers, db: Database, run: Call
) -> None:
    # given
    [(user_id, changed_at)] = run("SELECT id, password_changed_at FROM users")
    session = {
        "user_id": user_id,
        "password_changed_at": changed_at,
        "user_agent": None,
        "second_factor": False,
        "totp_secret": None,
        "idle": 60,
        "max_age": 60,
        "digest": b"x",
    }
    opened = Event()

    def open_slowly() -> None:
        with db.transaction() as connection:
            connection.execute(statements.OPEN, session)
            opened.set()
            sleep(0.3)  # lets the change wait for the row lock of this transaction

    Thread(target=open_slowly).start()
    opened.wait(5)
    # when
    answer = client.post("/profile/password", headers=alice, json=CHANGE)
    # then
    assert answer.status_code == 204
    assert run("SELECT ended_at IS NULL FROM sessions ORDER BY created_at") == [(True,), (False,)]


def test_second_of_two_concurrent_password_changes_gets_401(
    app: Flask, client: FlaskClient, alice: Headers, run: Call
) -> None:
    # given
    def match(*_: Any) -> bool:
        run("UPDATE users SET password_hash = 'the first', password_changed_at = clock_timestamp()")
        return True

    app.services.passwords = Mock(match=match, hash=lambda _: "the second")
    # when
    answer = client.post("/profile/password", headers=alice, json=CHANGE)
    # then
    assert (answer.status_code, answer.json["error"]) == (401, "invalid token")
    assert run("SELECT password_hash FROM users") == [("the first",)]
