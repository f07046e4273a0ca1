from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.db.database import Database

Call = Callable[..., Any]
Headers = dict[str, str]

HOME = {"recipient": "A. Liddell", "street": "1 Hole", "city": "Oxford", "postal_code": "OX1", "country": "GB"}


def test_the_profile_shows_the_account(client: FlaskClient, alice: Headers) -> None:
    answer = client.get("/profile", headers=alice)
    body = answer.json
    assert answer.status_code == 200
    assert body.pop("id").startswith("u-")
    assert body == {
        "username": "alice",
        "name": "Alice",
        "email": "Alice@example.com",
        "phone": None,
        "shipping_address": None,
    }


def test_reading_or_changing_the_profile_takes_one_statement(
    client: FlaskClient, alice: Headers, db: Database, count_statements: Call
) -> None:
    with count_statements(db) as reading:
        client.get("/profile", headers=alice)
    with count_statements(db) as changing:
        client.patch("/profile", headers=alice, json={"name": "Alice Liddell"})
    with count_statements(db) as exporting:
        client.get("/profile/export", headers=alice)
    assert (len(reading), len(changing), len(exporting)) == (1, 1, 1)


def test_changes_are_kept_and_what_is_absent_stays(client: FlaskClient, alice: Headers) -> None:
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
    answer = client.patch("/profile", headers=alice, json=nothing)
    # then
    assert {member: answer.json[member] for member in nothing} == nothing
    assert run("SELECT num_nonnulls(name, email, email_key, phone, shipping_address) FROM users") == [(0,)]


def test_the_recipient_of_the_address_may_be_absent(client: FlaskClient, alice: Headers) -> None:
    address = {member: line for member, line in HOME.items() if member != "recipient"}
    answer = client.patch("/profile", headers=alice, json={"shipping_address": address})
    assert answer.json["shipping_address"] == address


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, "body: name at least one member to change"),
        ({"username": "bob"}, "username: Extra inputs are not permitted"),
        ({"id": "u-1"}, "id: Extra inputs are not permitted"),
        ({"password_hash": "x"}, "password_hash: Extra inputs are not permitted"),
        ({"email": "nobody"}, "email: An email address must have an @-sign."),
        ({"phone": "call me"}, r"phone: String should match pattern '^\+?[0-9][0-9 ()./-]{2,30}$'"),
        ({"name": "x" * 101}, "name: String should have at most 100 characters"),
        ({"shipping_address": "here"}, "shipping_address: Input should be a valid dictionary or instance of Address"),
    ],
)
def test_a_change_that_is_not_right_is_refused_and_changes_nothing(
    client: FlaskClient, alice: Headers, changes: dict[str, Any], error: str
) -> None:
    # given
    before = client.get("/profile", headers=alice).json
    # when
    answer = client.patch("/profile", headers=alice, json=changes)
    # then
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert client.get("/profile", headers=alice).json == before


@pytest.mark.parametrize(
    ("flaw", "error"),
    [
        ({"country": "gb"}, "shipping_address.country: String should match pattern '^[A-Z]{2}$'"),
        ({"country": "GB\n"}, "shipping_address.country: String should match pattern '^[A-Z]{2}$'"),
        ({"city": " "}, "shipping_address.city: String should have at least 1 character"),
        ({"street": None}, "shipping_address.street: Input should be a valid string"),
        ({"planet": "Mars"}, "shipping_address.planet: Extra inputs are not permitted"),
    ],
)
def test_an_address_that_is_not_right_is_refused(
    client: FlaskClient, alice: Headers, flaw: dict[str, Any], error: str
) -> None:
    answer = client.patch("/profile", headers=alice, json={"shipping_address": HOME | flaw})
    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert client.get("/profile", headers=alice).json["shipping_address"] is None


def test_somebody_elses_email_address_cannot_be_taken(client: FlaskClient, register: Call, alice: Headers) -> None:
    # given
    register("bob", email="bob@example.com")
    # when
    answer = client.patch("/profile", headers=alice, json={"email": "BOB@example.com"})
    # then
    assert (answer.status_code, answer.json["code"]) == (409, "email_taken")
    assert client.get("/profile", headers=alice).json["email"] == "Alice@example.com"


def test_ones_own_email_address_may_be_written_differently(client: FlaskClient, alice: Headers) -> None:
    answer = client.patch("/profile", headers=alice, json={"email": "ALICE@example.com"})
    assert (answer.status_code, answer.json["email"]) == (200, "ALICE@example.com")


def test_changing_ones_profile_changes_nobody_elses(
    client: FlaskClient, register: Call, sign_in: Call, alice: Headers
) -> None:
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
