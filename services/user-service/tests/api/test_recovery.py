"""Addresses are confirmed by mail, and forgotten passwords replaced."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.mail import Mail, Refused
from chassis.testing.budgets import effort

Call = Callable[..., Any]
Headers = dict[str, str]
Mails = Callable[[], list[Mail]]

NEW = "battery staple"
ADD_PASSKEY = """
INSERT INTO passkeys (credential_id, user_id, public_key, sign_count, name) SELECT 'x', id, 'x', 0, 'x' FROM users
"""


def test_a_registration_is_confirmed_by_its_mail(
    client: FlaskClient, alice: Headers, mails: Mails, run: Call, recovery: Any
) -> None:
    [mail] = mails()
    assert (mail.to, mail.subject) == ("Alice@example.com", "Confirm your email address")
    assert client.get("/profile", headers=alice).json["email_verified_at"] is None
    answer = recovery.confirm(recovery.code(mail))
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get("/profile", headers=alice).json["email_verified_at"]
    assert run("SELECT * FROM mail_tokens") == []


def test_a_registration_without_an_address_sends_no_mail(register: Call, mails: Mails) -> None:
    register("bob")
    assert mails() == []


def test_an_address_has_many_claims_and_one_proof(
    register: Call, verified: Headers, mails: Mails, run: Call, recovery: Any
) -> None:
    # given another account names the address that Alice has proved
    answer = register("mallory", email="alice@EXAMPLE.com")
    assert (answer.status_code, answer.json["email"]) == (201, "alice@EXAMPLE.com")
    # when
    refusal = recovery.confirm(recovery.code(mails()[0]))
    # then
    assert (refusal.status_code, refusal.json["code"]) == (409, "email_taken")
    assert run("SELECT username FROM users WHERE email_verified_at IS NOT NULL") == [("alice",)]


def test_of_two_claims_that_are_proved_at_once_one_holds(
    register: Call, mails: Mails, run: Call, recovery: Any
) -> None:
    register("alice", email="alice@example.com")
    register("mallory", email="alice@example.com")
    tokens = [recovery.code(mail) for mail in mails()]
    with ThreadPoolExecutor(2) as threads:
        answers = sorted(answer.status_code for answer in threads.map(recovery.confirm, tokens))
    assert answers == [204, 409]
    assert run("SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL") == [(1,)]


@pytest.mark.parametrize("told", ["register", "profile"])
def test_nobody_is_told_whether_others_have_an_address(
    client: FlaskClient, register: Call, sign_in: Call, verified: Headers, told: str
) -> None:
    seen = []
    for number, email in enumerate(["alice@example.com", "nobody@example.com"]):
        register(f"bob{number}")
        if told == "register":
            answer = register(f"carol{number}", email=email)
        else:
            change = {"email": email, "current_password": "correct horse"}
            answer = client.patch("/profile", json=change, headers=sign_in(f"bob{number}"))
        own = {"id": "", "username": "", "email": ""}
        seen.append((answer.status_code, answer.json | own))
    assert seen[0] == seen[1]


def test_sign_in_takes_the_address_once_it_is_confirmed(
    login: Call, alice: Headers, mails: Mails, recovery: Any
) -> None:
    assert login("alice@example.com").status_code == 401
    recovery.confirm(recovery.code(mails()[0]))
    assert login(" ALICE@Example.com ").status_code == 200
    assert login("alice").status_code == 200
    assert login("alice@example.com", "wrong horse").json["code"] == "invalid_credentials"


def test_a_username_that_looks_like_an_address_stays_with_its_account(
    client: FlaskClient, register: Call, sign_in: Call, verified: Headers
) -> None:
    register("alice@example.com", "another horse")
    headers = sign_in("alice@example.com", "another horse")
    assert client.get("/profile", headers=headers).json["email"] is None


@pytest.mark.parametrize("spoilt", ["used", "expired", "made up", "of another purpose", "replaced"])
def test_a_code_that_is_not_good_confirms_nothing(
    *, client: FlaskClient, alice: Headers, mails: Mails, run: Call, spoilt: str, recovery: Any
) -> None:
    token = recovery.code(mails()[0])
    if spoilt == "used":
        recovery.confirm(token)
        run("UPDATE users SET email_verified_at = NULL")
    elif spoilt == "expired":
        run("UPDATE mail_tokens SET expires_at = now()")
    elif spoilt == "of another purpose":
        recovery.forget("alice@example.com")
        token = recovery.code(mails()[0])
    elif spoilt == "replaced":
        client.post("/email/verification", headers=alice)
        mails()
    refusal = recovery.confirm("made up" if spoilt == "made up" else token)
    assert (refusal.status_code, refusal.json["code"]) == (400, "invalid_mail_token")
    assert client.get("/profile", headers=alice).json["email_verified_at"] is None


def test_a_code_confirms_only_the_address_that_it_was_sent_to(
    client: FlaskClient, alice: Headers, mails: Mails, recovery: Any
) -> None:
    [first] = mails()
    client.patch("/profile", json={"email": "new@example.com", "current_password": "correct horse"}, headers=alice)
    [second] = mails()
    assert second.to == "new@example.com"
    assert recovery.confirm(recovery.code(first)).status_code == 400
    assert recovery.confirm(recovery.code(second)).status_code == 204
    assert client.get("/profile", headers=alice).json["email"] == "new@example.com"


def test_the_mail_is_sent_again_until_the_address_is_confirmed(
    client: FlaskClient, alice: Headers, mails: Mails, recovery: Any
) -> None:
    mails()
    answer = client.post("/email/verification", headers=alice)
    assert (answer.status_code, answer.json) == (202, {"message": "a mail is on its way"})
    assert recovery.confirm(recovery.code(mails()[0])).status_code == 204
    refusal = client.post("/email/verification", headers=alice)
    assert (refusal.status_code, refusal.json["code"]) == (409, "nothing_to_confirm")
    assert mails() == []


def test_one_code_in_two_threads_confirms_once(alice: Headers, mails: Mails, recovery: Any) -> None:
    token = recovery.code(mails()[0])
    with ThreadPoolExecutor(2) as threads:
        answers = sorted(answer.status_code for answer in threads.map(recovery.confirm, [token] * 2))
    assert answers == [204, 400]


def test_a_forgotten_password_is_replaced_and_all_sessions_end(
    *, client: FlaskClient, verified: Headers, login: Call, refresh: Call, mails: Mails, recovery: Any
) -> None:
    # given
    stolen = login("alice").json["refresh_token"]
    # when
    answer = recovery.forget("ALICE@example.com")
    [mail] = mails()
    done = recovery.reset(recovery.code(mail))
    # then the mail went to the stored address, not to the typed one
    assert (answer.status_code, mail.to, done.status_code) == (202, "Alice@example.com", 204)
    assert client.get("/profile", headers=verified).status_code == 401
    assert refresh(stolen).status_code == 401
    assert login("alice").status_code == 401
    assert login("alice", NEW).status_code == 200
    assert mails()[0].subject == "Your password was changed"


def test_one_code_in_two_threads_sets_one_password(verified: Headers, login: Call, mails: Mails, recovery: Any) -> None:
    recovery.forget("alice@example.com")
    token, passwords = recovery.code(mails()[0]), ["battery staple", "another staple"]
    with ThreadPoolExecutor(2) as threads:
        answers = [
            answer.status_code for answer in threads.map(lambda password: recovery.reset(token, password), passwords)
        ]
    assert sorted(answers) == [204, 400]
    assert login("alice", passwords[answers.index(204)]).status_code == 200
    assert login("alice", passwords[answers.index(400)]).status_code == 401


@pytest.mark.parametrize("spoilt", ["used", "expired", "password changed", "address changed", "of another purpose"])
def test_a_code_that_is_not_good_resets_nothing(
    *, client: FlaskClient, alice: Headers, mails: Mails, run: Call, spoilt: str, recovery: Any
) -> None:
    confirmation = recovery.code(mails()[0])
    recovery.forget("alice@example.com")
    token = recovery.code(mails()[0])
    if spoilt == "used":
        recovery.reset(token)
    elif spoilt == "expired":
        run("UPDATE mail_tokens SET expires_at = now()")
    elif spoilt == "password changed":
        change = {"current_password": "correct horse", "new_password": "third staple"}
        client.post("/profile/password", json=change, headers=alice)
    elif spoilt == "address changed":
        client.patch("/profile", json={"email": "new@example.com", "current_password": "correct horse"}, headers=alice)
    before = run("SELECT password_hash FROM users")
    refusal = recovery.reset(confirmation if spoilt == "of another purpose" else token)
    assert (refusal.status_code, refusal.json["code"]) == (400, "invalid_mail_token")
    assert run("SELECT password_hash FROM users") == before


def test_a_weak_new_password_is_refused_and_the_code_stays_good(verified: Headers, mails: Mails, recovery: Any) -> None:
    recovery.forget("alice@example.com")
    token = recovery.code(mails()[0])
    refusal = recovery.reset(token, "Alice@example.com")
    assert (refusal.status_code, refusal.json["code"]) == (400, "weak_password")
    assert recovery.reset(token).status_code == 204


def test_a_reset_proves_the_address_and_removes_the_passkeys(
    client: FlaskClient, alice: Headers, mails: Mails, run: Call, recovery: Any
) -> None:
    # given somebody has registered with an address of another person, and added a passkey to return
    mails()
    run(ADD_PASSKEY)
    # when that person resets the password
    recovery.forget("alice@example.com")
    assert recovery.reset(recovery.code(mails()[0])).status_code == 204
    # then
    assert run("SELECT email_verified_at IS NOT NULL FROM users") == [(True,)]
    assert run("SELECT * FROM passkeys") == []


def test_a_reset_keeps_the_passkeys_of_staff(verified: Headers, mails: Mails, run: Call, recovery: Any) -> None:
    run("UPDATE users SET roles = '{staff}'")
    run(ADD_PASSKEY)
    recovery.forget("alice@example.com")
    assert recovery.reset(recovery.code(mails()[0])).status_code == 204
    assert run("SELECT count(*) FROM passkeys") == [(1,)]


def test_the_proved_account_alone_gets_the_code(register: Call, verified: Headers, mails: Mails, recovery: Any) -> None:
    register("mallory", email="alice@example.com")
    mails()
    recovery.forget("alice@example.com")
    assert ["account alice" in mail.text for mail in mails()] == [True]


def test_accounts_that_only_name_an_address_share_at_most_three_mails(
    register: Call, mails: Mails, recovery: Any
) -> None:
    for number in range(4):
        register(f"user{number}", email="alice@example.com")
    mails()
    recovery.forget("alice@example.com")
    assert sorted(re.search(r"account (user\d)", mail.text)[1] for mail in mails()) == ["user0", "user1", "user2"]  # type: ignore[index]


def test_known_and_unknown_addresses_are_answered_by_the_same_work(
    app: Flask, db: Database, verified: Headers, count_statements: Call
) -> None:
    work = []
    for email in ("alice@example.com", "other@example.com"):
        requests = [
            {
                "path": "/password/forgotten",
                "method": "POST",
                "json": {"email": email},
                "environ_base": {"REMOTE_ADDR": f"198.51.100.{number}"},
                "headers": {"X-Request-ID": "same"},
            }
            for number in range(3)
        ]
        with count_statements(db) as statements:
            calls = effort(app, requests)
        answer = app.test_client().open(**requests[0])
        del answer.headers["RateLimit"]  # counts seconds
        work.append((calls, statements, answer.status, answer.data, tuple(answer.headers)))
    assert work[0] == work[1]


def test_known_and_unknown_addresses_cost_a_sign_in_the_same_work(
    app: Flask, db: Database, verified: Headers, count_statements: Call
) -> None:
    work = []
    for email in ("alice@example.com", "other@example.com"):
        body = {"username": email, "password": "wrong horse"}
        requests = [
            {"path": "/login", "method": "POST", "json": body, "environ_base": {"REMOTE_ADDR": f"198.51.100.{number}"}}
            for number in range(3)
        ]
        with count_statements(db) as statements:
            work.append((effort(app, requests), statements))
    assert work[0] == work[1]


def test_an_unknown_address_gets_no_mail_and_is_forgotten(mails: Mails, run: Call, recovery: Any) -> None:
    assert recovery.forget("nobody@example.com").status_code == 202
    assert mails() == []
    assert run("SELECT * FROM mail_addresses") == []


def test_mails_to_one_address_are_limited_for_each_client_and_in_all(
    client: FlaskClient, alice: Headers, register: Call, run: Call
) -> None:
    def ask(email: str, address: str) -> int:
        there = {"REMOTE_ADDR": address}
        answer = client.post("/password/forgotten", json={"email": email}, environ_overrides=there)
        return answer.status_code

    for email in ("alice@example.com", "nobody@example.com"):  # that of an account and another one alike
        first = [ask(email, "198.51.100.1") for _ in range(6)]
        others = [ask(email.upper(), f"198.51.100.{number}") for number in range(2, 8)]
        assert (first, others) == (
            [202] * 5 + [429],
            [202] * (4 if email.startswith("a") else 5) + [429] * (2 if email.startswith("a") else 1),
        )
    # a registration and a change of address are further ways to have mails sent
    assert register("bob", email="nobody@example.com").status_code == 429
    change = {"email": "nobody@example.com", "current_password": "correct horse"}
    assert client.patch("/profile", json=change, headers=alice).status_code == 429


def test_a_refused_address_is_noted_until_it_is_accepted_again(
    client: FlaskClient, alice: Headers, mails: Mails, outbox: list[Any]
) -> None:
    outbox.append(Refused("550 no such user"))
    assert mails() == []
    assert client.get("/profile", headers=alice).json["email_refused_at"]
    client.post("/email/verification", headers=alice)
    assert len(mails()) == 1
    assert client.get("/profile", headers=alice).json["email_refused_at"] is None


def test_a_deletion_leaves_no_token_and_no_address_that_waits(
    client: FlaskClient, verified: Headers, mails: Mails, run: Call, recovery: Any
) -> None:
    recovery.forget("alice@example.com")
    mails()
    recovery.forget("alice@example.com")  # whose job has not run yet
    change = {"email": "new@example.com", "current_password": "correct horse"}
    client.patch("/profile", json=change, headers=verified)
    assert client.delete("/profile", json={"password": "correct horse"}, headers=verified).status_code == 204
    assert run("SELECT * FROM mail_tokens") == []
    assert run("SELECT * FROM mail_addresses") == []
    assert run("SELECT num_nonnulls(email_verified_at, email_refused_at, new_email, new_email_key) FROM users") == [
        (0,)
    ]
    assert mails() == []


@pytest.mark.parametrize("email", ["", " ", "alice", "a@b", None, 1])
def test_what_is_no_address_is_refused_and_sends_nothing(recovery: Any, run: Call, email: Any) -> None:
    assert recovery.forget(email).status_code == 400
    assert run("SELECT * FROM procrastinate_jobs") == []
