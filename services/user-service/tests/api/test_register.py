from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

Call = Callable[..., Any]


def test_registering_answers_what_the_contract_says(client: FlaskClient) -> None:
    account = {"username": "Alice", "password": "correct horse", "name": "Alice L", "email": "Alice@Example.com"}
    answer = client.post("/register", json=account)
    body = answer.json
    assert answer.status_code == 201
    assert re.fullmatch("u-[0-9a-f]{32}", body.pop("id"))
    assert body == {"username": "Alice", "name": "Alice L", "email": "Alice@Example.com"}


@pytest.mark.parametrize("left_out", [{}, {"name": None, "email": None}, {"name": "", "email": ""}, {"name": "  "}])
def test_name_and_email_may_be_left_out(register: Call, left_out: dict[str, Any]) -> None:
    answer = register("alice", **left_out)
    assert answer.status_code == 201
    assert (answer.json["name"], answer.json["email"]) == (None, None)


FINE = {"username": "alice", "password": "correct horse"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "username required"),
        ({"username": "alice"}, "password required"),
        ({"password": "correct horse"}, "username required"),
        ({**FINE, "username": ""}, "username required"),
        ({**FINE, "password": ""}, "password required"),
        ({**FINE, "username": "al"}, "username: String should have at least 3 characters"),
        ({**FINE, "username": "a" * 65}, "username: String should have at most 64 characters"),
        ({**FINE, "username": "ﷺ" * 4}, "username: String should have at most 64 characters"),
        ({**FINE, "username": "a" * 9000}, "username: String should have at most 64 characters"),
        ({**FINE, "username": 5}, "username: Input should be a valid string"),
        ({**FINE, "username": "al ice"}, "username: spaces and invisible characters are not allowed"),
        ({**FINE, "username": "ali\x00ce"}, "username: spaces and invisible characters are not allowed"),
        ({**FINE, "password": "seven77"}, "password: String should have at least 8 characters"),
        ({**FINE, "password": "x" * 129}, "password: String should have at most 128 characters"),
        ({**FINE, "password": "password1"}, "password is among the most common ones"),
        ({"username": "alice.in", "password": "Alice.IN"}, "password equals the username or the email address"),
        ({**FINE, "email": "nobody"}, "email: An email address must have an @-sign."),
        ({**FINE, "email": f"a@{'b' * 300}.com"}, "email: String should have at most 254 characters"),
        ({**FINE, "name": "a\x00b"}, r"name: String should match pattern '^[^\x00-\x1f\x7f]*$'"),
        ({**FINE, "name": ["x"]}, "name: Input should be a valid string"),
        ({**FINE, "role": "admin"}, "role: Extra inputs are not permitted"),
        ({**FINE, "id": "u-1"}, "id: Extra inputs are not permitted"),
    ],
)
def test_a_registration_that_is_not_right_is_refused_and_stores_nothing(
    client: FlaskClient, run: Call, body: dict[str, Any], error: str
) -> None:
    answer = client.post("/register", json=body)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert answer.json["error"] == error
    assert run("SELECT count(*) FROM users") == [(0,)]


def test_username_slow_to_normalise_is_refused_before_that(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    normalised = []
    monkeypatch.setattr("user_service.accounts.rules.normalised", lambda text: normalised.append(text) or text)
    # when
    answer = client.post("/register", json={**FINE, "username": "\u0315\u0300" * 4000})
    # then
    assert (answer.status_code, normalised) == (400, [])


@pytest.mark.parametrize("variant", ["Alice", "alice", "ＡＬＩＣＥ"])
def test_a_username_is_given_once_whatever_its_case_and_unicode_form(register: Call, run: Call, variant: str) -> None:
    # given
    register("Alice")
    # when
    answer = register(variant, "another password")
    # then
    assert answer.status_code == 409
    assert (answer.json["error"], answer.json["code"]) == ("username already exists", "username_taken")
    assert run("SELECT username FROM users") == [("Alice",)]


def test_an_email_address_is_given_once_whatever_its_case(register: Call, run: Call) -> None:
    # given
    register("alice", email="Shared@Example.com")
    # when
    answer = register("bob", email="shared@example.COM")
    # then
    assert answer.status_code == 409
    assert (answer.json["error"], answer.json["code"]) == ("email already exists", "email_taken")
    assert run("SELECT username FROM users") == [("alice",)]


def test_of_racing_registrations_one_wins_and_the_others_hear_why(app: Flask, run: Call) -> None:
    # given
    names = ["racer", "Racer", "RACER", "ｒａｃｅｒ"] * 8

    def register_name(name: str) -> tuple[int, str]:
        answer = app.test_client().post("/register", json={"username": name, "password": "correct horse"})
        return answer.status_code, answer.json.get("error", "")

    # when
    with ThreadPoolExecutor(16) as racers:
        outcomes = Counter(racers.map(register_name, names))
    # then
    assert outcomes == {(201, ""): 1, (409, "username already exists"): 31}
    assert run("SELECT count(*) FROM users") == [(1,)]
