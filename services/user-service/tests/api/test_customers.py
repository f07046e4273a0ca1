"""Staff find customers, end their sessions, disable and enable them; each change leaves an audit entry."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.mail import Mail

PASSWORD = "correct horse"
Call = Callable[..., Any]


@pytest.fixture
def ask(client: FlaskClient, staff: dict[str, str]) -> Call:
    """Send a request as Stella of the staff; return status and JSON."""

    def ask(method: str, path: str = "", **sent: Any) -> tuple[int, Any]:
        answer = client.open(f"/staff/customers{path}", method=method, headers=staff, **sent)
        return answer.status_code, answer.json if answer.data else None

    return ask


@pytest.fixture
def alice_id(run: Call, alice: dict[str, str]) -> str:
    return str(run("SELECT id FROM users WHERE username = 'alice'")[0].id)


@pytest.fixture
def audit(client: FlaskClient, staff: dict[str, str]) -> Call:
    """Return action, name of staff, before and after of the audit entries about a subject, newest first."""

    def audit(subject: str) -> list[tuple[Any, ...]]:
        entries = client.get("/staff/audit", query_string={"subject": subject}, headers=staff).json
        return [(entry["action"], entry["staff_name"], entry["before"], entry["after"]) for entry in entries]

    return audit


@pytest.mark.parametrize("q", ["ALI", "lice@EXAMPLE", "Alice", "  alice  "])
def test_a_customer_is_found_by_a_part_of_name_or_address(ask: Call, alice_id: str, q: str) -> None:
    status, found = ask("GET", query_string={"q": q})
    assert (status, [customer["id"] for customer in found]) == (200, [alice_id])


def test_a_customer_is_found_by_id_and_shown(ask: Call, alice_id: str) -> None:
    found = ask("GET", query_string={"q": alice_id})[1]
    assert found == [ask("GET", f"/{alice_id}")[1]]
    assert found[0] | {"registered_at": ""} == {
        "id": alice_id,
        "username": "alice",
        "name": "Alice",
        "email": "Alice@example.com",
        "phone": None,
        "shipping_address": None,
        "registered_at": "",
        "disabled_at": None,
        "roles": [],
        "second_factor_since": None,
    }


@pytest.mark.parametrize("q", ["%", "_", "\\", "u-", "' OR 1=1 --"])
def test_signs_of_patterns_mean_themselves(ask: Call, alice_id: str, q: str) -> None:
    assert ask("GET", query_string={"q": q}) == (200, [])


def test_customers_are_listed_newest_first_in_pages(
    client: FlaskClient, ask: Call, staff: dict[str, str], register: Call
) -> None:
    for number in range(4):
        register(f"customer{number}")
    pages, url = [], "/staff/customers?limit=2&q=customer"
    while url:
        answer = client.get(url, headers=staff)
        pages.append([customer["username"] for customer in answer.json])
        url = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert pages == [["customer3", "customer2"], ["customer1", "customer0"]]


def test_an_unknown_or_deleted_customer_is_not_found(
    client: FlaskClient, ask: Call, alice: dict[str, str], alice_id: str
) -> None:
    assert client.delete("/profile", json={"password": PASSWORD}, headers=alice).status_code == 204
    for customer in (alice_id, "u-none", "%00"):
        for method, path in (("GET", ""), ("GET", "/sessions"), ("POST", "/disable"), ("DELETE", "/sessions")):
            assert ask(method, f"/{customer}{path}")[0] == (400 if customer == "%00" else 404)
    assert ask("GET", query_string={"q": "alice"}) == (200, [])


def test_a_disabled_customer_is_signed_out_and_cannot_sign_in(
    client: FlaskClient, ask: Call, alice: dict[str, str], alice_id: str, login: Call
) -> None:
    refresh_token = login("alice").json["refresh_token"]
    status, shown = ask("POST", f"/{alice_id}/disable")
    assert (status, shown["disabled_at"] is not None) == (200, True)
    assert client.get("/profile", headers=alice).status_code == 401
    assert client.post("/token/refresh", json={"refresh_token": refresh_token}).status_code == 401
    refused = login("alice")
    assert (refused.status_code, refused.json["code"]) == (403, "account_disabled")
    assert login("alice", "wrong horse").json["code"] == "invalid_credentials"


def test_an_enabled_customer_signs_in_again(ask: Call, alice_id: str, login: Call) -> None:
    ask("POST", f"/{alice_id}/disable")
    assert ask("POST", f"/{alice_id}/enable")[1]["disabled_at"] is None
    assert login("alice").status_code == 200


def test_disabling_twice_does_it_once(ask: Call, alice_id: str, audit: Call) -> None:
    first, second = ask("POST", f"/{alice_id}/disable"), ask("POST", f"/{alice_id}/disable")
    assert first == second
    assert audit(alice_id) == [
        ("customer.disable", "stella", {"disabled": False}, {"disabled": True, "sessions_ended": 1})
    ]


def test_every_change_leaves_an_entry_and_a_refused_one_none(
    ask: Call, alice_id: str, audit: Call, login: Call
) -> None:
    login("alice")
    sessions = ask("GET", f"/{alice_id}/sessions")[1]
    assert ask("DELETE", f"/{alice_id}/sessions/s-none")[0] == 404
    assert ask("DELETE", f"/{alice_id}/sessions/{sessions[0]['id']}")[0] == 204
    assert ask("DELETE", f"/{alice_id}/sessions")[0] == 204
    assert ask("DELETE", f"/{alice_id}/sessions")[0] == 204
    assert ask("POST", f"/{alice_id}/enable")[0] == 200
    assert ask("GET", f"/{alice_id}/sessions") == (200, [])
    assert audit(alice_id) == [
        ("customer.end_sessions", "stella", None, {"sessions_ended": 1}),
        ("customer.end_session", "stella", None, {"session": sessions[0]["id"]}),
    ]


def test_no_session_outlives_a_disabling_at_the_same_time(app: Flask, ask: Call, alice_id: str, run: Call) -> None:
    login = {"username": "alice", "password": PASSWORD}
    with ThreadPoolExecutor(5) as many:
        sign_ins = [many.submit(app.test_client().post, "/login", json=login) for _ in range(4)]
        ask("POST", f"/{alice_id}/disable")
        assert {sign_in.result().status_code for sign_in in sign_ins} <= {200, 401, 403}
    assert run("SELECT count(*) AS n FROM sessions WHERE user_id = %(id)s AND ended_at IS NULL", id=alice_id)[0].n == 0


def test_staff_reset_a_lost_second_factor(
    ask: Call, alice: dict[str, str], alice_id: str, run: Call, audit: Call
) -> None:
    run("UPDATE users SET totp_secret = 'x', totp_since = now() WHERE id = %(id)s", id=alice_id)
    assert ask("DELETE", f"/{alice_id}/second-factor")[0] == 204
    assert ask("DELETE", f"/{alice_id}/second-factor")[0] == 204
    assert ask("GET", f"/{alice_id}")[1]["second_factor_since"] is None
    assert audit(alice_id) == [("customer.reset_second_factor", "stella", None, {"sessions_ended": 1})]


def test_staff_have_a_reset_mail_sent_to_the_stored_address(
    *, ask: Call, alice_id: str, mails: Callable[[], list[Mail]], audit: Call, recovery: Any, login: Call
) -> None:
    mails()
    assert ask("POST", f"/{alice_id}/reset-mail") == (202, {"message": "a mail is on its way"})
    [mail] = mails()
    assert mail.to == "Alice@example.com"
    assert audit(alice_id) == [("customer.send_reset_mail", "stella", None, None)]
    assert login("alice").status_code == 200
    assert recovery.reset(recovery.code(mail), "battery staple").status_code == 204
    assert login("alice", "battery staple").status_code == 200


def test_no_reset_mail_goes_to_nowhere_or_to_a_disabled_account(
    ask: Call, alice_id: str, register: Call, mails: Callable[[], list[Mail]], audit: Call
) -> None:
    bob = register("bob").json["id"]
    ask("POST", f"/{alice_id}/disable")
    mails()
    for customer, code in ((bob, "no_email_address"), (alice_id, "is_disabled")):
        status, problem = ask("POST", f"/{customer}/reset-mail")
        assert (status, problem["code"]) == (409, code)
    assert mails() == []
    assert [entry[0] for entry in audit(alice_id) + audit(bob)] == ["customer.disable"]


def test_staff_do_not_lock_each_other_out(ask: Call, run: Call) -> None:
    stella = run("SELECT id FROM users WHERE username = 'stella'")[0].id
    for method, path in (("POST", "disable"), ("POST", "enable"), ("DELETE", "second-factor")):
        status, problem = ask(method, f"/{stella}/{path}")
        assert (status, problem["code"]) == (409, "is_staff")


def test_entries_are_erased_with_the_customer_and_the_staff(
    client: FlaskClient, ask: Call, staff: dict[str, str], alice: dict[str, str], alice_id: str
) -> None:
    ask("POST", f"/{alice_id}/disable")
    ask("POST", f"/{alice_id}/enable")
    again = client.post("/login", json={"username": "alice", "password": PASSWORD}).json["token"]
    export = client.get("/profile/export", headers={"Authorization": f"Bearer {again}"}).json
    assert [entry["action"] for entry in export["changes_by_staff"]] == ["customer.disable", "customer.enable"]
    client.delete("/profile", json={"password": PASSWORD}, headers={"Authorization": f"Bearer {again}"})
    entries = client.get("/staff/audit", query_string={"subject": alice_id}, headers=staff).json
    assert [(entry["before"], entry["after"], entry["staff_name"]) for entry in entries] == [(None, None, "stella")] * 2


def test_entries_are_filtered_by_staff_action_and_time(
    client: FlaskClient, ask: Call, staff: dict[str, str], alice_id: str
) -> None:
    ask("POST", f"/{alice_id}/disable")
    ask("POST", f"/{alice_id}/enable")
    entries = client.get("/staff/audit", headers=staff).json

    def actions(**query: str) -> list[str]:
        return [entry["action"] for entry in client.get("/staff/audit", query_string=query, headers=staff).json]

    both = ["customer.enable", "customer.disable"]
    assert actions() == actions(staff=entries[0]["staff_id"]) == actions(subject=alice_id) == both
    assert actions(staff="u-other") == []
    assert actions(action="customer.disable") == ["customer.disable"]
    assert actions(since=entries[0]["at"]) == ["customer.enable"]
    assert actions(until=entries[0]["at"]) == ["customer.disable"]
