"""Pages that confirm an address, replace a forgotten password, and show what waits to be confirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.mail import Refused
from chassis.testing.http import field_errors, field_values, messages

Call = Callable[..., Any]
SIGN_IN = {"username": "alice", "password": "battery staple"}
USED = "This code was used before, or is too old. Please ask for a new mail."


def test_a_forgotten_password_is_replaced_by_pages_alone(
    visitor: FlaskClient, alice: Any, mails: Call, recovery: Any
) -> None:
    # given
    mails()
    assert 'href="/account/password/forgotten"' in visitor.get("/account/sign-in").text
    # when
    asked = visitor.post("/account/password/forgotten", data={"email": " alice@example.com "})
    assert asked.headers["Location"] == "/account/password/forgotten?done=sent"
    told = "If an account has this address, a mail is on its way. It is good for 30 minutes."
    assert messages(visitor.get(asked.headers["Location"])) == [told]
    [mail] = mails()
    assert "http://localhost:5001/account/password/new#code=" in mail.text
    assert visitor.get("/account/password/new").status_code == 200
    answer = visitor.post(
        "/account/password/new", data={"token": recovery.code(mail), "new_password": "battery staple"}
    )
    # then
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sign-in?done=reset")
    assert messages(visitor.get(answer.headers["Location"])) == ["Your password is changed. Please sign in."]
    assert visitor.post("/account/sign-in", data=SIGN_IN).status_code == 303


@pytest.mark.parametrize(
    ("fields", "status", "errors"),
    [
        ({"token": "made up"}, 400, {"token": USED}),
        ({"token": ""}, 400, {"token": "Please enter the code from the mail."}),
        ({"new_password": "short"}, 400, {"new_password": "New password needs at least 8 characters."}),
        (
            {"new_password": "password"},
            400,
            {"new_password": "The password is among the most common ones. Please choose another."},
        ),
    ],
)
def test_a_wrong_reset_is_explained_and_keeps_the_code_alone(
    *, visitor: FlaskClient, alice: Any, mails: Call, recovery: Any, fields: Any, status: int, errors: Any
) -> None:
    mails()
    recovery.forget("alice@example.com")
    form = {"token": recovery.code(mails()[0]), "new_password": "battery staple"} | fields
    answer = visitor.post("/account/password/new", data=form)
    assert (answer.status_code, field_errors(answer)) == (status, errors)
    assert field_values(answer)["token"] == form["token"]
    assert f'"{form["new_password"]}"' not in answer.text.replace('type="password"', "")


def test_an_address_that_is_none_is_explained(visitor: FlaskClient) -> None:
    answer = visitor.post("/account/password/forgotten", data={"email": "alice"})
    assert answer.status_code == 400
    assert set(field_errors(answer)) == {"email"}


def test_too_many_mails_are_refused_in_words(visitor: FlaskClient) -> None:
    answers = [visitor.post("/account/password/forgotten", data={"email": "a@example.com"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429]
    assert "Too many mails were asked for" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_opening_the_link_confirms_nothing_until_the_button_is_pressed(
    alices: FlaskClient, visitor: FlaskClient, mails: Call, recovery: Any
) -> None:
    # given
    [mail] = mails()
    assert "http://localhost:5001/account/email/confirm#code=" in mail.text
    assert "We sent a mail to alice@example.com" in alices.get("/account").text
    assert visitor.get("/account/email/confirm").status_code == 200
    assert "We sent a mail to alice@example.com" in alices.get("/account").text
    # when
    answer = visitor.post("/account/email/confirm", data={"token": recovery.code(mail)})
    # then
    assert messages(visitor.get(answer.headers["Location"])) == [
        "Your email address is confirmed. You can sign in with it."
    ]
    assert "We sent a mail" not in alices.get("/account").text
    again = visitor.post("/account/email/confirm", data={"token": recovery.code(mail)})
    assert (again.status_code, field_errors(again)) == (400, {"token": USED})


def test_an_address_of_another_account_is_explained_to_who_reads_its_mails(
    alices: FlaskClient, visitor: FlaskClient, mails: Call, recovery: Any, register: Call
) -> None:
    register("bob", email="alice@example.com")
    alices_mail, bobs_mail = mails()
    recovery.confirm(recovery.code(bobs_mail))
    answer = visitor.post("/account/email/confirm", data={"token": recovery.code(alices_mail)})
    assert answer.status_code == 409
    assert "Another account has this email address." in answer.text


def test_the_mail_is_sent_again_by_the_page(alices: FlaskClient, mails: Call, recovery: Any) -> None:
    mails()
    answer = alices.post("/account/email/again")
    assert messages(alices.get(answer.headers["Location"])) == ["A mail is on its way."]
    recovery.confirm(recovery.code(mails()[0]))
    assert alices.post("/account/email/again").headers["Location"] == "/account"
    assert mails() == []


def test_a_change_that_waits_and_a_refused_address_are_shown(
    alices: FlaskClient, mails: Call, recovery: Any, outbox: list[Any]
) -> None:
    recovery.confirm(recovery.code(mails()[0]))
    form = {"name": "Alice", "phone": "", "email": "new@example.com", "current_password": "correct horse"}
    alices.post("/account", data=form)
    page = alices.get("/account").text
    assert "We sent a mail to new@example.com." in page
    assert "Until then your account keeps alice@example.com." in page
    alices.post("/account/email/again")
    outbox += [Refused("550 no such user")]
    mails()
    mails()
    alices.post("/account/email/again")
    outbox += [Refused("550 no such user")]
    mails()
    assert "Mail to new@example.com came back." in alices.get("/account").text


def test_sign_in_takes_the_confirmed_address(
    visitor: FlaskClient, alices: FlaskClient, mails: Call, recovery: Any
) -> None:
    form = {"username": "Alice@example.com", "password": "correct horse"}
    assert visitor.post("/account/sign-in", data=form).status_code == 401
    recovery.confirm(recovery.code(mails()[0]))
    assert visitor.post("/account/sign-in", data=form).status_code == 303
