"""Codes of an app and recovery codes: switched on and off, asked for at sign-in, never accepted twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pyotp import TOTP

from chassis.auth.roles import STAFF, UNPROVEN_STAFF
from chassis.pages.brand import BRAND
from chassis.testing.http import closing
from user_service import create_app
from user_service.accounts.one_time_codes import RECOVERY_CODES
from user_service.accounts.passwords import Passwords
from user_service.settings import Settings

PASSWORD = "correct horse"
LOGIN = {"username": "alice", "password": PASSWORD}
Call = Callable[..., Any]


class Phone:
    """An authenticator app whose clock, like the shop's, moves by `wait` alone."""

    def __init__(self) -> None:
        self.at, self.secret = 1_800_000_000, ""

    def code(self, earlier: int = 0) -> str:
        return str(TOTP(self.secret).at(self.at - 30 * earlier))

    def wait(self, seconds: int = 30) -> str:
        self.at += seconds
        return self.code()


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Phone:
    phone = Phone()
    monkeypatch.setattr("user_service.accounts.one_time_codes.time", SimpleNamespace(time=lambda: phone.at))
    return phone


def switch_on(client: FlaskClient, who: dict[str, str], phone: Phone) -> list[str]:
    """Switch the second factor on with this phone; return the recovery codes."""
    phone.secret = client.post("/second-factor", json={"password": PASSWORD}, headers=who).json["secret"]
    answer = client.post("/second-factor/confirm", json={"otp": phone.code()}, headers=who)
    assert answer.status_code == 200
    phone.wait()
    return answer.json["recovery_codes"]


@pytest.fixture
def codes(client: FlaskClient, alice: dict[str, str], phone: Phone) -> list[str]:
    """Switch Alice's second factor on; return her recovery codes."""
    return switch_on(client, alice, phone)


@pytest.fixture
def sign_in_with(client: FlaskClient) -> Call:
    """Return status and problem code of a sign-in."""

    def sign_in_with(otp: str | None, **changes: str) -> tuple[int, str | None]:
        answer = client.post("/login", json=LOGIN | {"otp": otp} | changes)
        return answer.status_code, answer.json.get("code")

    return sign_in_with


def test_begin_gives_a_secret_that_is_not_in_force_yet(
    client: FlaskClient, alice: dict[str, str], phone: Phone, sign_in_with: Call
) -> None:
    offered = client.post("/second-factor", json={"password": PASSWORD}, headers=alice).json
    assert offered["uri"] == TOTP(offered["secret"]).provisioning_uri(name="alice", issuer_name=BRAND.name)
    assert client.get("/second-factor", headers=alice).json == {"since": None, "recovery_codes_left": 0}
    assert sign_in_with(None) == (200, None)


def test_begin_needs_the_password(client: FlaskClient, alice: dict[str, str]) -> None:
    answer = client.post("/second-factor", json={"password": "wrong"}, headers=alice)
    assert (answer.status_code, answer.json["code"]) == (403, "wrong_password")
    assert client.post("/second-factor/confirm", json={"otp": "123456"}, headers=alice).json["code"] == (
        "second_factor_not_begun"
    )


def test_confirm_switches_it_on_and_gives_ten_recovery_codes(
    client: FlaskClient, alice: dict[str, str], codes: list[str], run: Call
) -> None:
    assert len(set(codes)) == RECOVERY_CODES == 10
    assert all(re.fullmatch("[a-z2-7]{4}(-[a-z2-7]{4}){3}", code) for code in codes)
    assert client.get("/second-factor", headers=alice).json["recovery_codes_left"] == 10
    stored = str(run("SELECT digest FROM recovery_codes"))
    assert not any(code in stored for code in codes)


def test_a_wrong_code_does_not_switch_it_on(client: FlaskClient, alice: dict[str, str], phone: Phone) -> None:
    phone.secret = client.post("/second-factor", json={"password": PASSWORD}, headers=alice).json["secret"]
    for wrong in (phone.code(earlier=3), "000000" if phone.code() != "000000" else "000001", "abcd-efgh"):
        answer = client.post("/second-factor/confirm", json={"otp": wrong}, headers=alice)
        assert (answer.status_code, answer.json["code"]) == (403, "wrong_code")
    assert client.get("/second-factor", headers=alice).json["since"] is None


def test_it_cannot_be_begun_again_while_it_is_on(client: FlaskClient, alice: dict[str, str], codes: list[str]) -> None:
    for path, body in (("", {"password": PASSWORD}), ("/confirm", {"otp": "123456"})):
        answer = client.post(f"/second-factor{path}", json=body, headers=alice)
        assert (answer.status_code, answer.json["code"]) == (409, "second_factor_on")


def test_sign_in_asks_for_a_code_after_the_right_password_alone(codes: list[str], sign_in_with: Call) -> None:
    assert sign_in_with(None) == (401, "otp_required")
    assert sign_in_with(None, password="wrong horse") == (401, "invalid_credentials")
    assert sign_in_with("123456", password="wrong horse") == (401, "invalid_credentials")
    assert sign_in_with("123456", username="nobody") == (401, "invalid_credentials")


def test_a_code_signs_in_once_even_with_spaces(codes: list[str], phone: Phone, sign_in_with: Call) -> None:
    code = phone.code()
    assert sign_in_with(f" {code[:3]} {code[3:]} ") == (200, None)
    assert sign_in_with(code) == (401, "otp_wrong")
    assert sign_in_with(phone.wait()) == (200, None)


def test_the_code_that_switched_it_on_does_not_sign_in(codes: list[str], phone: Phone, sign_in_with: Call) -> None:
    assert sign_in_with(phone.code(earlier=1)) == (401, "otp_wrong")


def test_an_older_code_than_the_last_one_is_refused(codes: list[str], phone: Phone, sign_in_with: Call) -> None:
    phone.wait(60)
    assert sign_in_with(phone.code()) == (200, None)
    assert sign_in_with(phone.code(earlier=1)) == (401, "otp_wrong")


@pytest.mark.parametrize(("earlier", "status"), [(2, 401), (1, 200), (0, 200), (-1, 200), (-2, 401)])
def test_a_clock_may_differ_by_one_step(
    codes: list[str], phone: Phone, sign_in_with: Call, earlier: int, status: int
) -> None:
    phone.wait(300)
    assert sign_in_with(phone.code(earlier))[0] == status


@pytest.mark.parametrize("kind", ["of the app", "recovery"])
def test_of_concurrent_sign_ins_with_one_code_one_succeeds(
    app: Flask, codes: list[str], phone: Phone, kind: str
) -> None:
    login = LOGIN | {"otp": codes[0] if kind == "recovery" else phone.code()}
    with ThreadPoolExecutor(4) as many:
        answers = many.map(lambda _: app.test_client().post("/login", json=login).status_code, range(4))
        assert sorted(answers) == [200, 401, 401, 401]


def test_a_recovery_code_signs_in_once_as_people_type_it(
    client: FlaskClient, alice: dict[str, str], codes: list[str], sign_in_with: Call
) -> None:
    assert sign_in_with(codes[0].upper().replace("-", " ")) == (200, None)
    assert sign_in_with(codes[0]) == (401, "otp_wrong")
    assert client.get("/second-factor", headers=alice).json["recovery_codes_left"] == 9


def test_a_recovery_code_of_another_account_is_refused(
    *, client: FlaskClient, codes: list[str], register: Call, sign_in: Call, phone: Phone, sign_in_with: Call
) -> None:
    register("bob")
    foreign = switch_on(client, sign_in("bob"), phone)
    assert sign_in_with(foreign[0]) == (401, "otp_wrong")


def test_wrong_codes_are_slowed_down_and_strangers_cannot_do_that(codes: list[str], sign_in_with: Call) -> None:
    assert [sign_in_with("abcd-efgh")[0] for _ in range(7)] == [401] * 5 + [429] * 2


def test_a_stranger_without_the_password_cannot_use_up_the_codes_tries(
    codes: list[str], phone: Phone, client: FlaskClient
) -> None:
    for number in range(8):
        elsewhere = {"REMOTE_ADDR": f"198.51.100.{number}"}
        client.post("/login", json=LOGIN | {"password": "x", "otp": "123456"}, environ_overrides=elsewhere)
    at_home = client.post(
        "/login", json=LOGIN | {"otp": phone.code()}, environ_overrides={"REMOTE_ADDR": "203.0.113.9"}
    )
    assert at_home.status_code == 200


def test_switching_off_needs_password_and_code(
    *, client: FlaskClient, alice: dict[str, str], codes: list[str], phone: Phone, sign_in_with: Call, run: Call
) -> None:
    def switch_off(password: str, otp: str) -> tuple[int, str | None]:
        answer = client.delete("/second-factor", json={"password": password, "otp": otp}, headers=alice)
        return answer.status_code, answer.json["code"] if answer.data else None

    assert switch_off("wrong", phone.code()) == (403, "wrong_password")
    assert switch_off(PASSWORD, "abcd") == (403, "wrong_code")
    assert sign_in_with(None) == (401, "otp_required")
    assert switch_off(PASSWORD, codes[0]) == (204, None)
    assert sign_in_with(None) == (200, None)
    assert run("SELECT count(*) AS n FROM recovery_codes")[0].n == 0
    assert switch_off(PASSWORD, codes[1]) == (409, "second_factor_off")


def test_new_recovery_codes_replace_the_old_ones(
    client: FlaskClient, alice: dict[str, str], codes: list[str], phone: Phone, sign_in_with: Call
) -> None:
    body = {"password": PASSWORD, "otp": phone.code()}
    new = client.post("/second-factor/recovery-codes", json=body, headers=alice).json["recovery_codes"]
    assert sign_in_with(codes[1]) == (401, "otp_wrong")
    assert sign_in_with(new[1]) == (200, None)
    again = client.post("/second-factor/recovery-codes", json=body, headers=alice)
    assert (again.status_code, again.json["code"]) == (403, "wrong_code")


def test_deletion_erases_secret_and_recovery_codes(
    client: FlaskClient, alice: dict[str, str], codes: list[str], run: Call
) -> None:
    assert client.delete("/profile", json={"password": PASSWORD}, headers=alice).status_code == 204
    row = run("SELECT totp_secret, totp_offered, roles, (SELECT count(*) FROM recovery_codes) AS codes FROM users")[0]
    assert row == (None, None, [], 0)


def roles_in(client: FlaskClient, token: str) -> tuple[str, ...]:
    return client.application.services.tokens.caller(token).roles  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def prod(app: Flask, settings: Settings) -> Any:
    """Return a client of the same shop as it runs in stage and prod; the settings allow what these refuse at start."""
    strict = settings.model_copy(update={"app_env": "stage"})
    with closing(create_app(strict)) as there:
        there.services.passwords = Passwords(app.services.passwords._hasher)  # type: ignore[attr-defined]
        yield there.test_client()


def test_local_staff_need_no_second_factor(client: FlaskClient, staff: dict[str, str]) -> None:
    assert roles_in(client, staff["Authorization"].removeprefix("Bearer ")) == (STAFF,)
    assert client.get("/staff/audit", headers=staff).status_code == 200


def test_in_stage_and_prod_staff_have_their_role_with_a_second_factor(
    prod: FlaskClient, staff: dict[str, str], phone: Phone
) -> None:
    login = {"username": "stella", "password": PASSWORD}
    # given a session without a second factor
    signed_in = prod.post("/login", json=login).json
    assert roles_in(prod, signed_in["token"]) == (UNPROVEN_STAFF,)
    headers = {"Authorization": f"Bearer {signed_in['token']}"}
    refused = prod.get("/staff/audit", headers=headers)
    assert (refused.status_code, refused.json["code"]) == (403, "second_factor_needed")
    # when the second factor is switched on, then the session's next token has the role
    switch_on(prod, headers, phone)
    renewed = prod.post("/token/refresh", json={"refresh_token": signed_in["refresh_token"]}).json
    assert roles_in(prod, renewed["token"]) == (STAFF,)
    # and so have the tokens of later sessions with a code
    later = prod.post("/login", json=login | {"otp": phone.code()}).json
    assert prod.get("/staff/audit", headers={"Authorization": f"Bearer {later['token']}"}).status_code == 200
    # until it is switched off
    prod.delete("/second-factor", json={"password": PASSWORD, "otp": phone.wait()}, headers=headers)
    for session in (later, renewed):
        token = prod.post("/token/refresh", json={"refresh_token": session["refresh_token"]}).json["token"]
        assert roles_in(prod, token) == (UNPROVEN_STAFF,)


def test_customers_have_no_roles_in_stage_and_prod(prod: FlaskClient, alice: dict[str, str]) -> None:
    assert roles_in(prod, prod.post("/login", json=LOGIN).json["token"]) == ()
