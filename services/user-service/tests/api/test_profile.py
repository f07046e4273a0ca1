from __future__ import annotations

import json
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
    changes = {"phone": "+44 1865 270000", "shipping_address": HOME}
    answer = client.patch("/profile", headers=alice, json=changes)
    # then
    body = answer.json
    assert client.get("/profile", headers=alice).json == body
    del body["id"]
    unproven = {"email": "Alice@example.com", "email_verified_at": None, "email_refused_at": None, "new_email": None}
    assert body == {"username": "alice", "name": "Alice", **unproven, **changes}


def test_null_clears_a_member(client: FlaskClient, alice: Headers, run: Call) -> None:
    # given
    client.patch("/profile", headers=alice, json={"phone": "01865 270000", "shipping_address": HOME})
    # when
    nothing = dict.fromkeys(["name", "email", "phone", "shipping_address"])
    answer = client.patch("/profile", headers=alice, json={**nothing, "current_password": PASSWORD})
    # then
    assert {member: answer.json[member] for member in nothing} == nothing
    assert run("SELECT num_nonnulls(name, email, email_key, phone, shipping_address) FROM users") == [(0,)]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("+44 (0)1865 270000", "+44 1865 270000"),
        ("+441865270000", "+44 1865 270000"),
        ("\uff0b44 1865 270000", "+44 1865 270000"),
        (" (01865) 27 00 00 ", "+44 1865 270000"),
        ("01865 270000", "+44 1865 270000"),
        ("01865 270000 ext. 12", "+44 1865 270000 x12"),
        ("0049 (221) 12 34 56 x7", "+49 221 123456 ext. 7"),
        ("+49 221 123456", "+49 221 123456"),
        ("", None),
    ],
)
def test_phone_is_understood_as_people_write_it(
    client: FlaskClient, alice: Headers, typed: str, kept: str | None
) -> None:
    client.patch("/profile", headers=alice, json={"shipping_address": HOME})
    answer = client.patch("/profile", headers=alice, json={"phone": typed})
    assert (answer.status_code, answer.json["phone"]) == (200, kept)
    assert client.patch("/profile", headers=alice, json={"phone": kept}).json == answer.json


def test_national_phone_belongs_to_the_country_of_its_address(client: FlaskClient, alice: Headers) -> None:
    home = {"street": "Domplatz 1", "city": "K\u00f6ln", "country": "de"}
    answer = client.patch("/profile", headers=alice, json={"phone": "(0221) 12 34 56", "shipping_address": home})
    assert (answer.status_code, answer.json["phone"]) == (200, "+49 221 123456")


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("(0221) 12 34 56", "phone: begin with the country's code, as in +49 221 123456, or give an address"),
        ("+999 123456", "phone: begin with the country's code, as in +49 221 123456, or give an address"),
        ("+49 1", "phone: is not a telephone number such as +49 221 123456"),
        ("+44 12", "phone: has too few or too many digits for its country; an example is +49 221 123456"),
        ("call me", "phone: is not a telephone number such as +49 221 123456"),
        ("0" * 51, "phone: String should have at most 50 characters"),
    ],
)
def test_phone_that_cannot_be_dialled_is_refused_with_an_example(
    client: FlaskClient, alice: Headers, typed: str, error: str
) -> None:
    answer = client.patch("/profile", headers=alice, json={"phone": typed})
    assert (answer.status_code, answer.json["error"], answer.json["errors"][0]["member"]) == (400, error, "phone")
    assert client.get("/profile", headers=alice).json["phone"] is None


def test_phone_of_too_many_digits_is_refused_where_the_country_is_known(client: FlaskClient, alice: Headers) -> None:
    answer = client.patch("/profile", headers=alice, json={"phone": "1" * 40, "shipping_address": HOME})
    assert (answer.status_code, answer.json["error"]) == (
        400,
        "phone: is not a telephone number such as +49 221 123456",
    )


def test_profile_from_before_these_rules_is_still_shown(client: FlaskClient, alice: Headers, run: Call) -> None:
    old = {"street": "x\u202e", "city": "y", "postal_code": "1", "country": "QQ"}
    run("UPDATE users SET phone = '221-12', shipping_address = %(old)s", old=json.dumps(old))
    profile = client.get("/profile", headers=alice).json
    assert (profile["phone"], profile["shipping_address"]) == ("221-12", old)


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
