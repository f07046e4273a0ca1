from __future__ import annotations

import pytest
from flask.testing import FlaskClient


def test_username_slow_to_normalise_is_refused_before_that(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    normalised = []
    monkeypatch.setattr("user_service.accounts.rules.normalised", lambda text: normalised.append(text) or text)
    # when
    account = {"username": "\u0315\u0300" * 4000, "password": "correct horse"}
    answer = client.post("/register", json=account)
    # then
    assert (answer.status_code, normalised) == (400, [])


def test_texts_around_an_account_are_trimmed(client: FlaskClient) -> None:
    account = {"username": " alice\u3000", "password": "correct horse", "name": " A ", "email": " a@example.com "}
    answer = client.post("/register", json=account)
    assert (answer.status_code, answer.json["username"], answer.json["name"], answer.json["email"]) == (  # type: ignore[index]
        201,
        "alice",
        "A",
        "a@example.com",
    )
    assert client.post("/login", json={"username": " alice ", "password": "correct horse"}).status_code == 200


@pytest.mark.parametrize("name", ["Al\u202eice", "Al\u0085ice", "Al\u200bice", "\u3164"])
def test_name_with_a_character_that_cannot_be_seen_is_refused(client: FlaskClient, name: str) -> None:
    answer = client.post("/register", json={"username": "alice", "password": "correct horse", "name": name})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (400, "invisible_character")  # type: ignore[index]
