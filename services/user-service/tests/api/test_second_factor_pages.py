"""The second factor in the browser, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from pyotp import TOTP
from werkzeug.test import TestResponse

from chassis.http.openapi import Api
from chassis.testing.http import browser, field_errors, messages

PASSWORD = "correct horse"
HOME = "/account/second-factor"
SIGN_IN = {"username": "alice", "password": PASSWORD}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1_800_000_000)
    monkeypatch.setattr("user_service.accounts.one_time_codes.time", SimpleNamespace(time=lambda: clock.now))
    return clock


def secret_in(page: TestResponse) -> str:
    (secret,) = re.findall(r"<code>([A-Z2-7]{32})</code>", page.text)
    return str(secret)


def codes_in(page: TestResponse) -> list[str]:
    return re.findall(r"<code>([a-z2-7-]{19})</code>", page.text)


@pytest.fixture
def app_code(alices: FlaskClient, clock: SimpleNamespace) -> Callable[[], str]:
    """Switch Alice's second factor on; return what her app shows, of the next half minute each time."""
    totp = TOTP(secret_in(alices.post(HOME, data={"password": PASSWORD})))
    assert alices.post(f"{HOME}/confirm", data={"otp": totp.at(clock.now)}).status_code == 200

    def code() -> str:
        clock.now += 30
        return str(totp.at(clock.now))

    return code


def test_it_is_switched_on_with_a_picture_and_a_code(alices: FlaskClient, clock: SimpleNamespace) -> None:
    assert "Switch it on" in alices.get(HOME).text
    offered = alices.post(HOME, data={"password": PASSWORD})
    assert re.search(r'<svg[^>]* class="segno"', offered.text)
    wrong = alices.post(f"{HOME}/confirm", data={"otp": "abc"})
    assert (wrong.status_code, list(field_errors(wrong))) == (403, ["otp"])
    done = alices.post(f"{HOME}/confirm", data={"otp": TOTP(secret_in(offered)).at(clock.now)})
    assert (done.status_code, len(codes_in(done)), messages(done)) == (200, 10, ["Two-step sign-in is on."])
    assert "10 recovery codes left" in alices.get(HOME).text


@pytest.mark.parametrize(("password", "status"), [("", 400), ("wrong", 403)])
def test_no_picture_without_the_password(alices: FlaskClient, password: str, status: int) -> None:
    answer = alices.post(HOME, data={"password": password})
    assert (answer.status_code, list(field_errors(answer))) == (status, ["password"])
    assert 'class="segno"' not in answer.text


def test_a_code_without_a_picture_says_how_to_begin(alices: FlaskClient) -> None:
    answer = alices.post(f"{HOME}/confirm", data={"otp": "123456"})
    assert (answer.status_code, "begin again" in answer.text) == (409, True)


def test_signing_in_asks_for_the_code_on_a_page_of_its_own(visitor: FlaskClient, app_code: Callable[[], str]) -> None:
    asked = visitor.post("/account/sign-in?next=/shop/checkout", data=SIGN_IN)
    assert (asked.status_code, asked.headers["Location"]) == (303, "/account/sign-in/code?next=%2Fshop%2Fcheckout")
    assert visitor.get_cookie("shop-token") is None
    assert "Your password was right" in visitor.get(asked.headers["Location"]).text
    wrong = visitor.post(asked.headers["Location"], data={"otp": "abcd"})
    assert (wrong.status_code, list(field_errors(wrong))) == (401, ["otp"])
    right = visitor.post(asked.headers["Location"], data={"otp": app_code()})
    assert (right.status_code, right.headers["Location"]) == (303, "/shop/checkout")
    assert visitor.get("/account").status_code == 200
    assert visitor.get_cookie("shop-sign-in", path="/account") is None


def test_the_code_alone_signs_nobody_in(visitor: FlaskClient, app_code: Callable[[], str]) -> None:
    for method in (visitor.get, visitor.post):
        answer = method("/account/sign-in/code", data={"otp": app_code()})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sign-in?next=%2Faccount")
    visitor.set_cookie("shop-sign-in", "forged", path="/account")
    answer = visitor.post("/account/sign-in/code", data={"otp": app_code()})
    assert answer.headers["Location"] == "/account/sign-in?next=%2Faccount&done=expired"
    assert "That took too long" in unescape(visitor.get(answer.headers["Location"]).text)


def test_a_sign_in_waits_for_its_code_for_minutes_and_for_one_password(
    visitor: FlaskClient, alices: FlaskClient, app_code: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.post("/account/sign-in", data=SIGN_IN)
    new = {"current_password": PASSWORD, "new_password": "amber-station-77"}
    assert alices.post("/account/password", data=new).status_code == 303
    answer = visitor.post("/account/sign-in/code", data={"otp": app_code()})
    assert "done=expired" in answer.headers["Location"]
    visitor.post("/account/sign-in", data=SIGN_IN | {"password": "amber-station-77"})
    monkeypatch.setattr("user_service.sessions.pending.SECONDS", -1)
    answer = visitor.post("/account/sign-in/code", data={"otp": app_code()})
    assert "done=expired" in answer.headers["Location"]


def test_wrong_codes_are_slowed_down_on_the_page_too(visitor: FlaskClient, app_code: Callable[[], str]) -> None:
    visitor.post("/account/sign-in", data=SIGN_IN)
    statuses = [visitor.post("/account/sign-in/code", data={"otp": "abcd"}).status_code for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2


def test_recovery_codes_are_renewed_with_password_and_code(alices: FlaskClient, app_code: Callable[[], str]) -> None:
    refused = alices.post(f"{HOME}/codes", data={"password": PASSWORD, "otp": "abcd"})
    assert (refused.status_code, list(field_errors(refused))) == (403, ["otp"])
    renewed = alices.post(f"{HOME}/codes", data={"password": PASSWORD, "otp": app_code()})
    assert len(codes_in(renewed)) == 10


def test_it_is_switched_off_with_password_and_code(
    alices: FlaskClient, visitor: FlaskClient, app_code: Callable[[], str]
) -> None:
    assert alices.post(f"{HOME}/off", data={"password": "wrong", "otp": app_code()}).status_code == 403
    answer = alices.post(f"{HOME}/off", data={"password": PASSWORD, "otp": app_code()})
    assert (answer.status_code, messages(alices.get(answer.headers["Location"]))) == (303, ["Two-step sign-in is off."])
    assert visitor.post("/account/sign-in", data=SIGN_IN).headers["Location"] == "/account"


@pytest.mark.parametrize("path", ["", "/codes", "/off"])
def test_the_pages_are_shown(alices: FlaskClient, path: str) -> None:
    assert alices.get(f"{HOME}{path}").status_code == 200


def test_a_disabled_account_is_told_so_after_the_right_password(
    app: Api, alices: FlaskClient, visitor: FlaskClient, run: Callable[..., Any]
) -> None:
    run("UPDATE users SET disabled_at = now()")
    answer = visitor.post("/account/sign-in", data=SIGN_IN)
    assert (answer.status_code, "This account is disabled" in answer.text) == (403, True)
    answer = browser(app).post("/account/sign-in", data=SIGN_IN | {"password": "wrong horse"})
    assert "disabled" not in answer.text
