from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

Call = Callable[..., Any]
Headers = dict[str, str]
PASSWORD = "correct horse"

HOME = {"recipient": "A. Liddell", "street": "1 Hole", "city": "Oxford", "postal_code": "OX1", "country": "GB"}


def test_patch_stores_changes_and_keeps_absent_members(client: FlaskClient, alice: Headers) -> None:
    # when
    changes = {"phone": "+44 (0)1865 270000", "shipping_address": HOME}
    answer = client.patch("/profile", headers=alice, json=changes)
    # then
    body = answer.json
    assert client.get("/profile", headers=alice).json == body
    del body["id"]
    assert body == {"username": "alice", "name": "Alice", "email": "Alice@example.com", **changes}


def test_null_clears_a_member(client: FlaskClient, alice: Headers, run: Call) -> None:
    # given
    client.patch("/profile", headers=alice, json={"phone": "01865 270000", "shipping_address": HOME})
    # when
    nothing = dict.fromkeys(["name", "email", "phone", "shipping_address"])
    answer = client.patch("/profile", headers=alice, json={**nothing, "current_password": PASSWORD})
    # then
    assert {member: answer.json[member] for member in nothing} == nothing
    assert run("SELECT num_nonnulls(name, email, email_key, phone, shipping_address) FROM users") == [(0,)]


def test_own_email_address_may_change_its_case(client: FlaskClient, alice: Headers) -> None:
    answer = client.patch("/profile", headers=alice, json={"email": "ALICE@example.com", "current_password": PASSWORD})
    assert (answer.status_code, answer.json["email"]) == (200, "ALICE@example.com")


@pytest.mark.parametrize("sent", [{}, {"current_password": None}])
def test_email_change_without_the_password_is_refused_with_400(
    client: FlaskClient, alice: Headers, sent: dict[str, None]
) -> None:
    answer = client.patch("/profile", headers=alice, json={"email": "thief@example.com", **sent})
    assert (answer.status_code, answer.json["error"]) == (
        400,
        "body: send current_password too to change the email address",
    )
    assert client.get("/profile", headers=alice).json["email"] == "Alice@example.com"


def test_email_change_with_a_wrong_password_is_refused_with_403(client: FlaskClient, alice: Headers) -> None:
    answer = client.patch("/profile", headers=alice, json={"email": "a@example.com", "current_password": "wrong horse"})
    assert (answer.status_code, answer.json["code"]) == (403, "wrong_password")
    assert client.get("/profile", headers=alice).json["email"] == "Alice@example.com"


def test_patch_changes_no_other_profile(client: FlaskClient, register: Call, sign_in: Call, alice: Headers) -> None:
    # given
    register("bob")
    # when
    client.patch("/profile", headers=alice, json={"name": "Changed"})
    # then
    assert client.get("/profile", headers=sign_in("bob")).json["name"] is None


def test_the_export_holds_the_profile_and_all_sessions_and_no_hash(
    client: FlaskClient, sign_in: Call, login: Call, alice: Headers
) -> None:
    # given
    ended = sign_in("alice", **{"User-Agent": "second device"})
    client.post("/logout", headers=ended)
    login("alice", **{"User-Agent": "third device"})
    # when
    answer = client.get("/profile/export", headers=alice)
    # then
    assert answer.status_code == 200
    assert answer.json["profile"] == client.get("/profile", headers=alice).json
    assert answer.json["registered_at"] == answer.json["password_changed_at"]
    sessions = answer.json["sessions"]
    assert [session["user_agent"] for session in sessions][1:] == ["second device", "third device"]
    assert [session["ended_at"] is None for session in sessions] == [True, False, True]
    assert "argon2" not in answer.text
