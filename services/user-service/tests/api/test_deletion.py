from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

Call = Callable[..., Any]
Headers = dict[str, str]

RIGHT = {"password": "correct horse"}
TRACES = ("wonderland", "liddell", "example.com", "01865", "dinah", "rabbit", "oxford", "looking-glass", "argon2")


@pytest.fixture
def traces(run: Call) -> Callable[[], list[str]]:
    """Search all rows of all tables; return the personal data that is left."""

    def search() -> list[str]:
        tables = [name for (name,) in run("SELECT relname FROM pg_stat_user_tables")]
        assert {"users", "sessions", "refresh_tokens"} <= set(tables)
        rows = " ".join(row.lower() for name in tables for (row,) in run(f"SELECT to_json({name})::text FROM {name}"))
        return [trace for trace in TRACES if trace in rows]

    return search


def test_deletion_leaves_no_personal_data_in_any_table(
    client: FlaskClient, register: Call, sign_in: Call, traces: Callable[[], list[str]]
) -> None:
    # given
    register("Wonderland", name="Alice Liddell", email="alice.liddell@example.com")
    client.post("/logout", headers=sign_in("Wonderland", **{"User-Agent": "looking-glass/1"}))
    caller = sign_in("Wonderland", **{"User-Agent": "looking-glass/2"})
    address = {"recipient": "Dinah", "street": "Rabbit Hole", "city": "Oxford", "postal_code": "OX1", "country": "GB"}
    client.patch("/profile", headers=caller, json={"phone": "01865 270000", "shipping_address": address})
    assert traces() == list(TRACES)
    # when
    answer = client.delete("/profile", headers=caller, json=RIGHT)
    # then
    assert (answer.status_code, answer.data) == (204, b"")
    assert traces() == []


def test_deleted_account_is_answered_like_an_unknown_one(
    client: FlaskClient, login: Call, refresh: Call, alice: Headers
) -> None:
    # given
    refresh_token = login("alice").json["refresh_token"]
    # when
    client.delete("/profile", headers=alice, json=RIGHT)
    # then
    deleted, never = login("alice"), login("never.was")
    assert deleted.json | {"request_id": ""} == never.json | {"request_id": ""}
    assert client.get("/profile", headers=alice).json["error"] == "invalid token"
    assert client.get("/profile/export", headers=alice).json["error"] == "invalid token"
    assert client.patch("/profile", headers=alice, json={"name": "x"}).json["error"] == "invalid token"
    assert client.delete("/profile", headers=alice, json=RIGHT).json["error"] == "invalid token"
    assert refresh(refresh_token).status_code == 401


def test_deleted_account_keeps_its_username_and_releases_its_email(
    client: FlaskClient, register: Call, alice: Headers
) -> None:
    # when
    client.delete("/profile", headers=alice, json=RIGHT)
    # then
    assert register("ALICE").json["error"] == "username already exists"
    assert register("alice2", email="Alice@example.com").status_code == 201


def test_deletion_needs_the_password(client: FlaskClient, alice: Headers) -> None:
    # when
    wrong = client.delete("/profile", headers=alice, json={"password": "wrong horse"})
    missing = client.delete("/profile", headers=alice)
    # then
    assert (wrong.status_code, wrong.json["code"]) == (403, "wrong_password")
    assert (missing.status_code, missing.json["error"]) == (400, "password required")
    assert client.get("/profile", headers=alice).json["username"] == "alice"


def test_deletion_fails_when_the_password_changes_concurrently(
    app: Flask, client: FlaskClient, alice: Headers, run: Call
) -> None:
    # given
    def match(*_: Any) -> bool:
        run("UPDATE users SET password_changed_at = clock_timestamp()")
        return True

    app.services.passwords = Mock(match=match)
    # when
    answer = client.delete("/profile", headers=alice, json=RIGHT)
    # then
    assert (answer.status_code, answer.json["error"]) == (401, "invalid token")
    assert run("SELECT username, deleted_at FROM users") == [("alice", None)]


def test_deletion_changes_no_other_account(client: FlaskClient, register: Call, sign_in: Call, alice: Headers) -> None:
    # given
    register("bob", name="Bob")
    bob = sign_in("bob")
    # when
    client.delete("/profile", headers=alice, json=RIGHT)
    # then
    assert client.get("/profile", headers=bob).json["name"] == "Bob"
