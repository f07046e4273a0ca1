"""The pages of the back office about customers: find, sign out, disable, audit."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.http.openapi import Api
from chassis.testing.http import browser, closing, messages
from user_service import create_app
from user_service.customers import pages
from user_service.settings import Settings

PASSWORD = "correct horse"
CUSTOMERS = "/account/backoffice/customers"
NASTY = '"><script>alert(1)</script>'
EVERYTHING = """
SELECT to_json(u)::text FROM (SELECT id, roles, disabled_at, totp_since FROM users) AS u
UNION ALL SELECT to_json(s)::text FROM (SELECT id, ended_at FROM sessions) AS s
UNION ALL SELECT a::text FROM audit_entries a ORDER BY 1
"""
Call = Callable[..., Any]


@pytest.fixture
def stella(app: Api, staff: dict[str, str]) -> FlaskClient:
    """Return the browser of Stella, who is one of the staff."""
    return browser(app, staff["Authorization"].removeprefix("Bearer "))


@pytest.fixture
def alice_id(run: Call, alice: dict[str, str]) -> str:
    return str(run("SELECT id FROM users WHERE username = 'alice'")[0].id)


@pytest.fixture
def everything(run: Call) -> Call:
    """Return all that a refusal must not change."""
    return lambda: [row[0] for row in run(EVERYTHING)]


def names(page: str) -> list[str]:
    return [html.unescape(name) for name in re.findall(r'class="named"><a [^>]*>(.*?)</a>', page)]


def test_a_customer_gets_a_page_that_says_why_not(alices: FlaskClient) -> None:
    answer = alices.get(CUSTOMERS)
    assert answer.status_code == 403
    assert "This is for the staff of the shop only." in answer.text


def test_staff_without_a_second_factor_are_told_what_to_do(app: Api, staff: dict[str, str], settings: Settings) -> None:
    with closing(create_app(settings.model_copy(update={"app_env": "stage"}))) as stage:
        stage.services.passwords = app.services.passwords  # type: ignore[attr-defined]
        token = stage.test_client().post("/login", json={"username": "stella", "password": PASSWORD}).json["token"]  # type: ignore[index]
        stella = browser(stage)
        stella.set_cookie("__Host-token", token)
        answer = stella.get(CUSTOMERS)
    assert answer.status_code == 403
    assert "Staff need a second factor here: switch it on in your account" in answer.text
    assert '<a class="button" href="/account/second-factor">Switch it on</a>' in answer.text


def test_a_stranger_is_led_to_sign_in_and_back(visitor: FlaskClient) -> None:
    answer = visitor.get("/account/backoffice/audit")
    assert answer.headers["Location"] == "/account/sign-in?next=%2Faccount%2Fbackoffice%2Faudit"


def test_only_staff_see_the_link_in_the_account(stella: FlaskClient, alices: FlaskClient) -> None:
    assert '<a href="/backoffice">Back office</a>' in stella.get("/account").text
    assert "Back office" not in alices.get("/account").text


def test_the_start_leads_to_the_customers(stella: FlaskClient) -> None:
    assert stella.get("/account/backoffice").headers["Location"] == CUSTOMERS


def test_customers_are_found(stella: FlaskClient, register: Call, alice_id: str) -> None:
    register("nasty", name=NASTY)
    assert names(stella.get(CUSTOMERS).text) == [NASTY, "Alice", "stella"]
    assert names(stella.get(f"{CUSTOMERS}?q=ALICE@").text) == ["Alice"]
    assert "Nobody found" in stella.get(f"{CUSTOMERS}?q=nobody").text
    page = stella.get(CUSTOMERS, query_string={"q": NASTY}).text
    assert names(page) == [NASTY]
    assert NASTY not in page


def test_customers_go_on_on_the_next_page(
    stella: FlaskClient, alice_id: str, register: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE_SIZE", 1)
    register("alan")
    following = re.search(r'rel="next" href="(.*?)"', stella.get(f"{CUSTOMERS}?q=al").text)
    assert following
    page = stella.get(html.unescape(following[1])).text
    assert names(page) == ["Alice"]
    assert f'href="{CUSTOMERS}?q=al">Back to the start' in page
    assert stella.get(f"{CUSTOMERS}?after=nonsense").status_code == 400


def test_a_customer_is_shown(stella: FlaskClient, alice: dict[str, str], alice_id: str, client: FlaskClient) -> None:
    address = {"recipient": "A", "street": NASTY, "city": "Bonn", "postal_code": "53111", "country": "DE"}
    assert client.patch("/profile", json={"shipping_address": address}, headers=alice).status_code == 200
    page = stella.get(f"{CUSTOMERS}/{alice_id}").text
    assert "Alice@example.com" in page
    assert "53111 Bonn<br>Germany" in page
    assert NASTY not in page
    assert html.escape(NASTY, quote=False).replace('"', "&#34;") in page


def test_a_customer_is_disabled_and_enabled(stella: FlaskClient, alice_id: str, login: Call) -> None:
    url = f"{CUSTOMERS}/{alice_id}"
    disabled = stella.get(stella.post(url, data={"do": "disable"}).headers["Location"])
    assert messages(disabled) == ["Disabled. All sessions are ended, and nobody can sign in to this account."]
    assert "On no device." in disabled.text
    assert login("alice").status_code == 403
    enabled = stella.get(stella.post(url, data={"do": "enable"}).headers["Location"])
    assert messages(enabled) == ["Enabled. The customer can sign in again."]
    assert login("alice").status_code == 200


def test_a_reset_mail_is_sent_unless_the_account_is_disabled(
    stella: FlaskClient, alice_id: str, mails: Call, everything: Call
) -> None:
    mails()
    url = f"{CUSTOMERS}/{alice_id}"
    asked = stella.get(stella.post(url, data={"do": "mail"}).headers["Location"])
    assert messages(asked) == ["A mail with a code for a new password is on its way."]
    assert [mail.to for mail in mails()] == ["Alice@example.com"]
    stella.post(url, data={"do": "disable"})
    before = everything()
    refused = stella.post(url, data={"do": "mail"})
    assert (refused.status_code, "This account is disabled: enable it first" in refused.text) == (409, True)
    assert everything() == before
    assert "Send a reset mail" not in stella.get(url).text


def test_sessions_are_ended(stella: FlaskClient, alice_id: str, sign_in: Call, client: FlaskClient) -> None:
    second = sign_in("alice")
    url = f"{CUSTOMERS}/{alice_id}"
    chosen = re.findall(r'name="session_id" value="(.*?)"', stella.get(url).text)
    assert len(chosen) == 2
    assert stella.post(f"{url}/sessions", data={"session_id": chosen[0]}).status_code == 303
    assert client.get("/profile", headers=second).status_code == 401
    again = stella.post(f"{url}/sessions", data={"session_id": chosen[0]})
    assert (again.status_code, "This session has ended already." in again.text) == (404, True)
    assert stella.post(url, data={"do": "end-all"}).status_code == 303
    assert "On no device." in stella.get(url).text


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [("", {}, 400), ("", {"do": "delete"}, 400), ("/sessions", {}, 400), ("/sessions", {"session_id": "s-none"}, 404)],
)
def test_a_refused_form_moves_nothing(
    *, stella: FlaskClient, alice_id: str, everything: Call, path: str, form: dict[str, str], status: int
) -> None:
    before = everything()
    assert stella.post(f"{CUSTOMERS}/{alice_id}{path}", data=form).status_code == status
    assert everything() == before


@pytest.mark.parametrize("do", ["disable", "enable", "reset"])
def test_staff_do_not_change_each_other(stella: FlaskClient, run: Call, everything: Call, do: str) -> None:
    stella_id = run("SELECT id FROM users WHERE username = 'stella'")[0].id
    before = everything()
    answer = stella.post(f"{CUSTOMERS}/{stella_id}", data={"do": do})
    assert answer.status_code == 409
    assert "This account belongs to the staff" in answer.text
    assert everything() == before


def test_a_customer_that_is_none_is_not_found(stella: FlaskClient) -> None:
    assert stella.get(f"{CUSTOMERS}/nobody").status_code == 404
    assert stella.post(f"{CUSTOMERS}/nobody", data={"do": "disable"}).status_code == 404


def test_the_audit_tells_who_changed_whom(stella: FlaskClient, alice_id: str) -> None:
    stella.post(f"{CUSTOMERS}/{alice_id}", data={"do": "disable"})
    page = stella.get("/account/backoffice/audit?action=customer.disable").text
    assert "<strong>Customer disabled</strong>" in page
    assert f'<a href="{CUSTOMERS}/{alice_id}">' in page
    assert "<del>no</del>" in page
    assert ">stella</a>" in page


@pytest.mark.parametrize(("path", "expected"), [(CUSTOMERS, 2), ("/account/backoffice/audit", 2)])
def test_a_page_runs_few_statements(
    *, stella: FlaskClient, db: Database, count_statements: Call, path: str, expected: int
) -> None:
    assert stella.get(path).status_code == 200
    with count_statements(db) as statements:
        assert stella.get(path).status_code == 200
    assert len(statements) == expected  # one of them asks whether the session goes on
