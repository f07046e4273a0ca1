"""Rate limits of the routes; for the policy see libs/chassis/tests/test_rate_limit.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from user_service import create_app
from user_service.settings import Settings

Call = Callable[..., Any]
Headers = dict[str, str]
WRONG = "wrong horse"


@pytest.fixture
def login_from(client: FlaskClient) -> Call:
    """Sign in from an address: login_from("192.0.2.1", "alice")."""

    def login_from(address: str, username: str = "alice", password: str = "correct horse", **headers: str) -> Any:
        body, address_of_client = {"username": username, "password": password}, {"REMOTE_ADDR": address}
        return client.post("/login", json=body, headers=headers, environ_overrides=address_of_client)

    return login_from


@pytest.mark.parametrize("username", ["alice", "nobody"])
def test_five_wrong_passwords_delay_existing_and_unknown_accounts(register: Call, login: Call, username: str) -> None:
    # given
    register("alice")
    # when
    answers = [login(username, WRONG) for _ in range(7)]
    # then
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
    refusal = answers[-1]
    assert refusal.content_type == "application/problem+json"
    assert {name: refusal.json[name] for name in ("code", "error", "status")} == {
        "code": "too_many_requests",
        "error": "too many attempts, try again later",
        "status": 429,
    }
    assert refusal.headers["Retry-After"] == "1"
    assert refusal.headers["RateLimit"] == '"login";r=0;t=1'


def test_throttled_login_uses_neither_database_nor_hashing(
    app: Flask, register: Call, login: Call, db: Database, count_statements: Call
) -> None:
    # given
    register("alice")
    for _ in range(5):
        login("alice", WRONG)
    app.services.passwords = Mock()
    # when
    with count_statements(db) as statements:
        answer = login("alice")
    # then
    assert answer.status_code == 429
    assert statements == []
    app.services.passwords.match.assert_not_called()


@pytest.mark.parametrize("variant", ["ALICE", "ａｌｉｃｅ"])
def test_variants_of_a_username_share_one_limit(register: Call, login: Call, variant: str) -> None:
    register("alice")
    for _ in range(5):
        login("alice", WRONG)
    assert login(variant, WRONG).status_code == 429


def test_right_password_clears_the_failures(register: Call, login: Call) -> None:
    register("alice")
    for _ in range(3):
        assert [login("alice", WRONG).status_code for _ in range(4)] == [401] * 4
        assert login("alice").status_code == 200


def test_attack_from_a_shared_address_delays_only_the_victim_there(register: Call, login_from: Call) -> None:
    # given
    register("alice")
    register("bob")
    # when
    attack = [login_from("192.0.2.1", "alice", WRONG).status_code for _ in range(1000)]
    # then
    assert attack.count(429) >= 990
    assert login_from("192.0.2.1", "bob").status_code == 200
    assert login_from("198.51.100.1", "alice").status_code == 200


def test_trusted_client_signs_in_during_attacks(register: Call, login_from: Call) -> None:
    # given
    register("alice")
    login_from("192.0.2.1", "alice")
    # when
    spraying = [login_from("192.0.2.1", f"victim{number}", WRONG).status_code for number in range(30)]
    guessing = [login_from(f"198.51.100.{number}", "alice", WRONG).status_code for number in range(40)]
    # then
    assert spraying[:20] == [401] * 20
    assert spraying[20:].count(429) >= 5
    assert guessing == [401] * 30 + [429] * 10
    assert login_from("192.0.2.1", "alice").status_code == 200


def test_forged_forwarded_address_does_not_avoid_the_limit(register: Call, login: Call) -> None:
    register("alice")
    attack = [login("alice", WRONG, **{"X-Forwarded-For": f"198.51.100.{n}"}).status_code for n in range(6)]
    assert attack == [401] * 5 + [429]


def test_clients_behind_a_trusted_proxy_are_counted_separately(settings: Settings, register: Call) -> None:
    # given
    register("alice")
    app = create_app(settings.model_copy(update={"trusted_proxies": ("127.0.0.0/8",)}))
    client, body = app.test_client(), {"username": "alice", "password": WRONG}
    # when
    attack = [client.post("/login", json=body, headers={"X-Forwarded-For": "198.51.100.1"}) for _ in range(6)]
    other = client.post("/login", json=body, headers={"X-Forwarded-For": "198.51.100.2"})
    # then
    assert [answer.status_code for answer in attack] == [401] * 5 + [429]
    assert other.status_code == 401
    app.services.database.close()


def test_a_hundred_registrations_and_sign_ins_from_one_address_succeed(register: Call, login: Call) -> None:
    answers = [(register(f"user{n}").status_code, login(f"user{n}").status_code) for n in range(100)]
    assert answers == [(201, 200)] * 100


def test_every_response_has_ratelimit_headers(register: Call, login: Call) -> None:
    register("alice")
    first, second = login("alice", WRONG), login("alice")
    assert first.headers["RateLimit-Policy"] == '"login";q=600;w=60'
    assert first.headers["RateLimit"].startswith('"login";r=599;t=')
    assert second.headers["RateLimit"].startswith('"login";r=598;t=')
    assert "Retry-After" not in second.headers


def test_repeated_registration_is_delayed_after_100_failures(register: Call) -> None:
    answers = [register("alice").status_code for _ in range(102)]
    assert answers == [201] + [409] * 100 + [429]


def test_repeated_invalid_refresh_token_is_refused_without_look_up(
    refresh: Call, db: Database, count_statements: Call
) -> None:
    with count_statements(db) as statements:
        answers = [refresh("worthless").status_code for _ in range(21)]
    assert answers == [401] * 20 + [429]
    assert len(statements) == 20


def test_password_guesses_with_a_token_share_one_limit_on_all_routes(
    client: FlaskClient, alice: Headers, run: Call
) -> None:
    # given
    change = {"current_password": WRONG, "new_password": "battery staple"}
    # when
    changes = [client.post("/profile/password", json=change, headers=alice).status_code for _ in range(3)]
    deletions = [client.delete("/profile", json={"password": WRONG}, headers=alice).status_code for _ in range(3)]
    # then
    assert changes + deletions == [403] * 5 + [429]
    assert client.delete("/profile", json={"password": "correct horse"}, headers=alice).status_code == 429
    assert run("SELECT deleted_at FROM users") == [(None,)]
    assert client.get("/profile", headers=alice).status_code == 200


def test_server_errors_do_not_count_as_failed_attempts(app: Flask, register: Call, login: Call) -> None:
    # given
    register("alice")
    passwords, app.services.passwords = app.services.passwords, Mock(match=Mock(side_effect=RuntimeError))
    # when
    broken = [login("alice").status_code for _ in range(8)]
    app.services.passwords = passwords
    # then
    assert broken == [500] * 8
    assert login("alice").status_code == 200
