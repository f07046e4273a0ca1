"""Rate limits of the routes; for the policy see libs/chassis/tests/test_rate_limit.py."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.rate_limit.limiter import RateLimiter
from user_service import create_app
from user_service.settings import Settings

Call = Callable[..., Any]
Headers = dict[str, str]
WRONG = "wrong horse"
HOME = "192.0.2.1"


@pytest.fixture
def login_from(client: FlaskClient) -> Call:
    """Sign in from an address: login_from("192.0.2.1", "alice")."""

    def login_from(address: str, username: str = "alice", password: str = "correct horse", **members: str) -> Any:
        body = {"username": username, "password": password, **members}
        return client.post("/login", json=body, environ_overrides={"REMOTE_ADDR": address})

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
    assert refusal.headers["RateLimit"].startswith('"login";r=595;t=')


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


def test_spellings_of_an_address_share_one_limit(register: Call, login: Call) -> None:
    spellings = ["ada@example.com", "ADA@example.com", "ada@example\u3002com", "ada@ex\ufe0fample.com"]
    answers = [login(username, "wrong password").status_code for username in spellings * 2]
    assert answers == [401] * 5 + [429] * 3


def test_right_password_on_a_known_device_clears_its_failures(register: Call, login_from: Call) -> None:
    register("alice")
    device = {"device_token": login_from(HOME).json["device_token"]}
    for _ in range(3):
        assert [login_from(HOME, "alice", WRONG, **device).status_code for _ in range(4)] == [401] * 4
        device = {"device_token": login_from(HOME, **device).json["device_token"]}


def test_parallel_guesses_are_hashed_no_more_often_than_the_free_ones(
    app: Flask, client: FlaskClient, register: Call
) -> None:
    # given a hash that all of them would wait for
    register("alice")
    app.services.passwords = Mock(match=Mock(side_effect=lambda *_: time.sleep(0.2)))

    def guess(_: int) -> int:
        return app.test_client().post("/login", json={"username": "alice", "password": WRONG}).status_code

    # when
    with ThreadPoolExecutor(30) as attackers:
        answers = list(attackers.map(guess, range(30)))
    # then
    assert answers.count(401) == app.services.passwords.match.call_count == 5
    assert answers.count(429) == 25


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


def test_known_device_is_not_locked_out_by_password_spraying(register: Call, login_from: Call) -> None:
    # given
    register("alice")
    device = {"device_token": login_from(HOME).json["device_token"]}
    # when
    attack = [login_from(HOME, f"victim{number}", WRONG).status_code for number in range(30)]
    # then
    assert attack[:20] == [401] * 20
    assert attack[20:].count(429) >= 5
    assert login_from(HOME, "alice", **device).status_code == 200


def test_victim_signs_in_on_a_known_device_while_many_addresses_guess(register: Call, login_from: Call) -> None:
    # given
    register("alice")
    device = {"device_token": login_from(HOME).json["device_token"]}
    # when
    attack = [login_from(f"198.51.100.{number}", "alice", WRONG).status_code for number in range(40)]
    # then
    assert attack == [401] * 30 + [429] * 10
    assert login_from("203.0.113.1", "alice", **device).status_code == 200


def test_device_tokens_of_an_old_password_lock_no_device_out(
    client: FlaskClient, register: Call, login_from: Call
) -> None:
    # given somebody who knew the old password has kept twelve tokens
    register("alice")
    tokens = [login_from(HOME).json["device_token"] for _ in range(12)]
    own = login_from(HOME).json
    change = {"current_password": "correct horse", "new_password": "battery staple"}
    client.post("/profile/password", json=change, headers={"Authorization": f"Bearer {own['token']}"})
    # when
    guesses = [login_from(HOME, device_token=token).status_code for token in tokens * 4]
    # then
    assert guesses == [401] * 48
    answer = login_from(HOME, "alice", "battery staple", device_token=own["device_token"])
    assert answer.status_code == 200


def test_device_token_of_another_account_is_worth_nothing(register: Call, login_from: Call) -> None:
    # given
    register("alice")
    register("mallory")
    foreign = login_from(HOME, "mallory").json["device_token"]
    # when
    tokens = [foreign, foreign[:-1] + "x", "", "\u00fc.\u00fc.\u00fc", "x" * 256]
    attack = [login_from(HOME, "alice", WRONG, device_token=token).status_code for token in tokens]
    # then
    assert attack == [401] * 5
    assert login_from(HOME, "alice", device_token=foreign).status_code == 429


def seen_by_a_stranger(login_from: Call, username: str) -> list[tuple[int, str]]:
    """Guess at an account from an address where its owner signs in, or from anywhere else."""
    answers = [login_from(HOME, username, WRONG) for _ in range(6)]
    return [(answer.status_code, answer.headers["RateLimit"].partition(";t=")[0]) for answer in answers]


@pytest.mark.parametrize("noise", [0, 22])
def test_owners_sign_ins_at_a_shared_address_do_not_show(
    app: Flask, register: Call, login_from: Call, noise: int
) -> None:
    seen = []
    for username in ("alice", "nobody"):
        app.services.rate_limiter = RateLimiter("memory://", per_address=600)
        register("alice")
        # given the owner of one of the two accounts has signed in here, with and without a known device
        device = login_from(HOME, "alice").json["device_token"]
        login_from(HOME, "alice", device_token=device)
        login_from(HOME, "alice", WRONG, device_token=device)
        for number in range(noise):
            login_from(HOME, f"noise{number}", WRONG)
        # when
        seen.append(seen_by_a_stranger(login_from, username))
    # then
    assert seen[0] == seen[1]


def test_sign_in_between_a_strangers_guesses_does_not_show(app: Flask, register: Call, login_from: Call) -> None:
    register("alice")
    seen = []
    for username in ("alice", "nobody"):
        app.services.rate_limiter = RateLimiter("memory://", per_address=600)
        guesses = [login_from(HOME, username, WRONG).status_code for _ in range(4)]
        login_from(HOME, "alice")
        seen.append(guesses + [login_from(HOME, username, WRONG).status_code for _ in range(3)])
    assert seen[0] == seen[1] == [401] * 5 + [429] * 2


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


def test_twenty_registrations_a_minute_from_one_address_succeed(
    client: FlaskClient, register: Call, login: Call
) -> None:
    answers = [(register(f"user{n}").status_code, login(f"user{n}").status_code) for n in range(20)]
    assert answers == [(201, 200)] * 20
    refusal = register("user20")
    assert (refusal.status_code, refusal.headers["RateLimit-Policy"]) == (429, '"register";q=20;w=60')
    elsewhere = {"REMOTE_ADDR": HOME}
    account = {"username": "user20", "password": "correct horse"}
    assert client.post("/register", json=account, environ_overrides=elsewhere).status_code == 201


def test_every_response_has_ratelimit_headers(register: Call, login: Call) -> None:
    register("alice")
    first, second = login("alice", WRONG), login("alice")
    assert first.headers["RateLimit-Policy"] == '"login";q=600;w=60'
    assert first.headers["RateLimit"].startswith('"login";r=599;t=')
    assert second.headers["RateLimit"].startswith('"login";r=598;t=')
    assert "Retry-After" not in second.headers


def test_registering_a_taken_name_is_refused_after_twenty_failures(register: Call) -> None:
    answers = [register("alice").status_code for _ in range(22)]
    assert answers == [201] + [409] * 19 + [429] * 2


def test_made_up_refresh_tokens_count_by_address_and_fill_no_memory(
    app: Flask, refresh: Call, db: Database, count_statements: Call
) -> None:
    app.services.rate_limiter = RateLimiter("memory://", per_address=10)
    with count_statements(db) as statements:
        answers = [refresh(f"worthless{number}").status_code for number in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert len(statements) == 10
    assert len(app.services.rate_limiter._in_memory["refresh"]._storage) == 1


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


def test_owner_signs_in_anew_and_changes_the_password_despite_a_thief(
    client: FlaskClient, alice: Headers, sign_in: Call
) -> None:
    # given a thief with a token of an older session guesses from many addresses
    guess = {"current_password": WRONG, "new_password": "battery staple"}
    for number in range(36):
        there = {"REMOTE_ADDR": f"198.51.100.{number % 6}"}
        client.post("/profile/password", json=guess, headers=alice, environ_overrides=there)
    assert client.post("/profile/password", json=guess, headers=alice).status_code == 429
    # when
    anew = sign_in("alice")
    answer = client.post("/profile/password", json={**guess, "current_password": "correct horse"}, headers=anew)
    # then
    assert answer.status_code == 204
    assert client.get("/profile", headers=alice).status_code == 401
    assert client.delete("/profile", json={"password": "battery staple"}, headers=anew).status_code == 204


def test_failed_and_refused_attempts_are_logged_with_account_and_address(
    register: Call, login_from: Call, caplog: pytest.LogCaptureFixture
) -> None:
    register("alice")
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            login_from(HOME, "Alice", WRONG)
    lines = [record for record in caplog.records if record.name == "chassis.rate_limit.limiter"]
    assert [line.message for line in lines] == ["attempt_failed"] * 5 + ["attempt_refused"]
    assert {(line.rule, line.account, line.address) for line in lines} == {
        ("login", hashlib.sha256(b"alice").hexdigest(), HOME)
    }


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
