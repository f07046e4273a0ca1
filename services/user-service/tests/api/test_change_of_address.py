"""A verified address stays until its successor is confirmed, and is told of the change; notices of other changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.mail import Mail

Call = Callable[..., Any]
Headers = dict[str, str]
Mails = Callable[[], list[Mail]]

CHANGE = {"email": "New@example.com", "current_password": "correct horse"}


def test_a_verified_address_is_replaced_once_the_new_one_is_confirmed(
    client: FlaskClient, verified: Headers, mails: Mails, login: Call, recovery: Any
) -> None:
    # when
    answer = client.patch("/profile", json=CHANGE, headers=verified)
    # then
    assert (answer.json["email"], answer.json["new_email"]) == ("Alice@example.com", "New@example.com")
    told, asked = sorted(mails(), key=lambda mail: mail.to)
    assert (told.to, told.subject) == ("Alice@example.com", "The email address of your account")
    assert "New@example.com" in told.text
    assert asked.to == "New@example.com"
    # and when
    assert recovery.confirm(recovery.code(asked)).status_code == 204
    # then
    profile = client.get("/profile", headers=verified).json
    assert (profile["email"], profile["new_email"]) == ("New@example.com", None)
    assert profile["email_verified_at"] != answer.json["email_verified_at"]
    assert (login("alice@example.com").status_code, login("new@example.com").status_code) == (401, 200)


def test_the_old_address_is_told_although_the_new_one_is_confirmed_first(
    client: FlaskClient, verified: Headers, mails: Mails, run: Call
) -> None:
    client.patch("/profile", json=CHANGE, headers=verified)
    run("""
        UPDATE users SET email = new_email, email_key = new_email_key, email_verified_at = now(),
            new_email = NULL, new_email_key = NULL
    """)
    assert [mail.to for mail in mails()] == ["Alice@example.com"]


def test_a_verified_address_that_is_removed_is_told(client: FlaskClient, verified: Headers, mails: Mails) -> None:
    answer = client.patch("/profile", json={"email": None, "current_password": "correct horse"}, headers=verified)
    assert (answer.json["email"], answer.json["email_verified_at"]) == (None, None)
    [mail] = mails()
    assert mail.to == "Alice@example.com"
    assert "no longer has this email address" in mail.text


@pytest.mark.parametrize("given_up_by", ["the old address", "a new password"])
def test_a_change_that_waits_is_given_up(
    client: FlaskClient, verified: Headers, mails: Mails, given_up_by: str, recovery: Any
) -> None:
    client.patch("/profile", json=CHANGE, headers=verified)
    [asked] = [mail for mail in mails() if mail.to == "New@example.com"]
    if given_up_by == "the old address":
        client.patch("/profile", json=CHANGE | {"email": "alice@example.com"}, headers=verified)
    else:
        change = {"current_password": "correct horse", "new_password": "battery staple"}
        client.post("/profile/password", json=change, headers=verified)
    assert client.get("/profile", headers=verified).json["new_email"] is None
    assert recovery.confirm(recovery.code(asked)).status_code == 400


def test_an_address_that_nobody_has_confirmed_is_told_nothing(
    client: FlaskClient, alice: Headers, mails: Mails, login: Call
) -> None:
    mails()
    client.patch("/profile", json=CHANGE, headers=alice)
    login("alice", "correct horse", **{"User-Agent": "another device"})
    change = {"current_password": "correct horse", "new_password": "battery staple"}
    client.post("/profile/password", json=change, headers=alice)
    assert [mail.to for mail in mails()] == ["New@example.com"]


def test_statements_of_older_code_leave_no_address_verified(verified: Headers, run: Call) -> None:
    run("UPDATE users SET email = 'thief@example.com', email_key = 'thief@example.com'")
    assert run("SELECT email_verified_at FROM users") == [(None,)]


def test_a_new_password_is_told(client: FlaskClient, verified: Headers, mails: Mails) -> None:
    change = {"current_password": "correct horse", "new_password": "battery staple"}
    client.post("/profile/password", json=change, headers=verified)
    [mail] = mails()
    assert (mail.to, mail.subject) == ("Alice@example.com", "Your password was changed")


def test_a_new_device_is_told_once(verified: Headers, mails: Mails, login: Call) -> None:
    firefox = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    login("alice", **firefox)
    [mail] = mails()
    assert (mail.to, mail.subject) == ("Alice@example.com", "New sign-in to your account")
    assert "Firefox on Linux" in mail.text
    login("alice", **firefox)
    assert mails() == []


def test_a_device_that_shows_its_token_is_not_new(
    client: FlaskClient, verified: Headers, mails: Mails, login: Call
) -> None:
    body = {"username": "alice", "password": "correct horse", "device_token": login("alice").json["device_token"]}
    client.post("/login", json=body, headers={"User-Agent": "an update of the browser"})
    assert mails() == []


def test_a_session_that_ended_before_its_mail_is_told_still(
    client: FlaskClient, verified: Headers, mails: Mails, sign_in: Call
) -> None:
    thief = sign_in("alice", **{"User-Agent": "curl/8"})
    client.post("/logout", headers=thief)
    assert len(mails()) == 1


def test_the_export_holds_what_mails_are_about(client: FlaskClient, verified: Headers) -> None:
    client.patch("/profile", json=CHANGE, headers=verified)
    profile = client.get("/profile/export", headers=verified).json["profile"]
    assert (profile["new_email"], bool(profile["email_verified_at"])) == ("New@example.com", True)
