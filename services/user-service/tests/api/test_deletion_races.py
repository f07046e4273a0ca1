"""Requests of an account that is deleted while they run, each in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import sleep
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from user_service.accounts.passwords import Passwords
from user_service.profile import actions

Call = Callable[..., Any]
Headers = dict[str, str]

RIGHT = {"password": "correct horse"}
CHANGE = {"current_password": "correct horse", "new_password": "battery staple"}


@pytest.fixture
def deletion(db: Database) -> Callable[[], Any]:
    """Delete Alice's account in a transaction that commits a little later."""

    def delete(erased: Event) -> None:
        with db.transaction() as connection:
            [(user_id, changed_at)] = connection.execute("SELECT id, password_changed_at FROM users").fetchall()
            connection.execute(actions.ERASE, {"user_id": user_id, "password_changed_at": changed_at})
            connection.execute(actions.END_ALL, {"user_id": user_id})
            erased.set()
            sleep(0.3)  # lets the other request wait for the row lock of this transaction

    @contextmanager
    def deletion() -> Iterator[Callable[..., bool]]:
        """Yield a password check that passes once the account is erased but not yet committed."""
        threads = []

        def match(*_: Any) -> bool:
            erased = Event()
            threads.append(Thread(target=delete, args=(erased,)))
            threads[0].start()
            return erased.wait(5)

        yield match
        for thread in threads:
            thread.join()

    return deletion


def test_login_during_a_deletion_opens_no_session(
    app: Flask, register: Call, login: Call, run: Call, deletion: Call
) -> None:
    # given
    register("alice")
    # when
    with deletion() as match:
        app.services.passwords = Mock(match=match, outdated=lambda _: False)
        answer = login("alice")
    # then
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_credentials")
    assert run("SELECT count(*) FROM sessions") == [(0,)]


def test_deletion_ends_a_session_that_opens_before_it_commits(
    app: Flask, client: FlaskClient, login: Call, alice: Headers, run: Call
) -> None:
    # given
    passwords: Passwords = app.services.passwords
    opened = []

    def match(*_: Any) -> bool:
        app.services.passwords = passwords
        thread = Thread(target=lambda: opened.append(login("alice").status_code))
        thread.start()
        thread.join()
        return True

    app.services.passwords = Mock(match=match)
    # when
    answer = client.delete("/profile", headers=alice, json=RIGHT)
    # then
    assert (answer.status_code, opened) == (204, [200])
    assert run("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


@pytest.mark.parametrize(
    "change",
    [
        ("POST", "/profile/password", CHANGE),
        ("PATCH", "/profile", {"email": "new@example.com", "current_password": "correct horse"}),
        ("DELETE", "/profile", RIGHT),
    ],
)
def test_change_during_a_deletion_is_refused_with_401(
    app: Flask, alice: Headers, run: Call, deletion: Call, change: Any
) -> None:
    # when
    with deletion() as match:
        app.services.passwords = Mock(match=match, hash=lambda _: "another")
        method, path, body = change
        answer = app.test_client().open(path, method=method, headers=alice, json=body)
    # then
    assert (answer.status_code, answer.json["code"]) == (401, "invalid_token")
    assert run("SELECT deleted_at IS NOT NULL, username, email FROM users") == [(True, None, None)]
