"""Pages of the own account: profile, address, password, devices, data, deletion."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.http.openapi import Api
from chassis.testing.http import browser, field_errors, field_values, messages

PASSWORD = "correct horse"
PROFILE = {"name": "Alice", "phone": "", "email": "alice@example.com"}
ADDRESS = {"recipient": "Ada", "street": "Weg 1", "line2": "", "city": "Bonn", "region": "", "postal_code": "53111"}
WHERE = ADDRESS | {"country": "DE"}
NASTY = '"><script>alert(1)</script>'


def profile(alices: FlaskClient) -> dict[str, Any]:
    """Return the stored profile."""
    token = alices.get_cookie("shop-token").value  # type: ignore[union-attr]
    stored: dict[str, Any] = alices.get("/profile", headers={"Authorization": f"Bearer {token}"}).json
    return stored


def saved(alices: FlaskClient, path: str, form: dict[str, str]) -> TestResponse:
    """Send a form that is right; return the page that it leads to."""
    answer = alices.post(path, data=form)
    assert answer.status_code == 303, field_errors(answer)
    return alices.get(answer.headers["Location"])


def test_the_profile_is_shown_and_changed(alices: FlaskClient) -> None:
    page = alices.get("/account")
    assert "Hello, Alice" in page.text
    assert field_values(page) | {"q": ""} == PROFILE | {"q": ""}
    answer = saved(alices, "/account", PROFILE | {"name": " Alice Liddell ", "phone": "+49 221 123456"})
    assert messages(answer) == ["Saved."]
    assert (field_values(answer)["name"], field_values(answer)["phone"]) == ("Alice Liddell", "+49 221 123456")
    saved(alices, "/account", PROFILE | {"name": ""})
    assert (profile(alices)["name"], profile(alices)["phone"]) == (None, None)


@pytest.mark.parametrize(
    ("fields", "status", "errors"),
    [
        ({"name": "N" * 101}, 400, {"name": "Name may have at most 100 characters."}),
        ({"phone": "12"}, 400, {"phone"}),
        ({"email": "nonsense", "current_password": PASSWORD}, 400, {"email"}),
        (
            {"email": "new@example.com", "current_password": "wrong horse"},
            403,
            {"current_password": "Wrong password."},
        ),
    ],
)
def test_a_wrong_profile_is_explained_and_changes_nothing(
    alices: FlaskClient, fields: dict[str, str], status: int, errors: Any
) -> None:
    before = profile(alices)
    answer = alices.post("/account", data=PROFILE | fields)
    assert answer.status_code == status
    found = field_errors(answer)
    assert found == errors if isinstance(errors, dict) else set(found) == errors
    shown = field_values(answer)
    assert {name: shown[name] for name in PROFILE} == {name: (PROFILE | fields)[name] for name in PROFILE}
    assert "horse" not in answer.text
    assert profile(alices) == before


def test_a_new_email_address_without_the_password_is_refused(alices: FlaskClient) -> None:
    answer = alices.post("/account", data=PROFILE | {"email": "new@example.com"})
    assert answer.status_code == 400
    text = "Please enter your password too: it is needed for a new email address."
    assert field_errors(answer) == {"current_password": text}
    assert field_values(answer)["email"] == "new@example.com"
    assert profile(alices)["email"] == "alice@example.com"
    saved(alices, "/account", PROFILE | {"email": "new@example.com", "current_password": PASSWORD})
    assert profile(alices)["email"] == "new@example.com"


def test_the_address_is_saved_shown_and_removed(alices: FlaskClient) -> None:
    assert "Remove the address" not in alices.get("/account/address").text
    page = saved(alices, "/account/address", WHERE)
    assert messages(page) == ["Saved."]
    assert {name: field_values(page)[name] for name in ADDRESS} == ADDRESS
    assert '<option value="DE" selected>Germany</option>' in page.text
    saved(alices, "/account/address", {"do": "remove"})
    assert profile(alices)["shipping_address"] is None


def test_a_wrong_address_is_explained_and_stays_typed(alices: FlaskClient) -> None:
    answer = alices.post("/account/address", data=WHERE | {"street": "", "city": "C" * 101, "country": "XX"})
    assert answer.status_code == 400
    assert field_errors(answer) == {
        "street": "Street is missing.",
        "city": "City may have at most 100 characters.",
        "country": "Country is not a code of ISO 3166, which has two letters, such as DE.",
    }
    assert field_values(answer)["postal_code"] == "53111"
    assert profile(alices)["shipping_address"] is None


def test_markup_in_a_profile_is_shown_as_text(alices: FlaskClient) -> None:
    saved(alices, "/account", PROFILE | {"name": NASTY})
    saved(alices, "/account/address", WHERE | {"recipient": NASTY})
    for path in ("/account", "/account/address"):
        assert "<script>alert" not in alices.get(path).text
        assert "&lt;script&gt;alert(1)" in alices.get(path).text


def test_a_new_password_ends_all_other_devices(app: Api, alices: FlaskClient) -> None:
    other = browser(app)
    other.post("/account/sign-in", data={"username": "alice", "password": PASSWORD})
    form = {"current_password": PASSWORD, "new_password": "battery staple"}
    page = saved(alices, "/account/password", form)
    assert messages(page) == ["Your password is changed. All other devices are signed out."]
    assert alices.get("/account").status_code == 200
    assert other.get("/account").status_code == 307


@pytest.mark.parametrize(
    ("fields", "status", "errors"),
    [
        ({"current_password": ""}, 400, {"current_password": "Current password is missing."}),
        ({"current_password": "wrong horse"}, 403, {"current_password": "Wrong password."}),
        ({"new_password": "short"}, 400, {"new_password": "New password needs at least 8 characters."}),
        (
            {"new_password": "password"},
            400,
            {"new_password": "The password is among the most common ones. Please choose another."},
        ),
    ],
)
def test_a_wrong_change_of_password_is_explained_and_shows_none(
    alices: FlaskClient, fields: dict[str, str], status: int, errors: dict[str, str]
) -> None:
    form = {"current_password": PASSWORD, "new_password": "battery staple"} | fields
    answer = alices.post("/account/password", data=form)
    assert (answer.status_code, field_errors(answer)) == (status, errors)
    assert "horse" not in answer.text
    assert "staple" not in answer.text
    again = alices.post("/account/sign-in", data={"username": "alice", "password": PASSWORD})
    assert again.status_code == 303


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        ("/password", {"current_password": "wrong horse", "new_password": "battery staple"}),
        ("/delete", {"password": "wrong horse"}),
        ("", PROFILE | {"email": "new@example.com", "current_password": "wrong horse"}),
    ],
)
def test_too_many_wrong_passwords_are_said(alices: FlaskClient, page: str, fields: dict[str, str]) -> None:
    answers = [alices.post(f"/account{page}", data=fields) for _ in range(20)]
    assert "Wrong password." in answers[0].text
    assert "Too many attempts. Please wait a moment, then try again." in answers[-1].text
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_devices_are_listed_and_ended(app: Api, alices: FlaskClient) -> None:
    phone = browser(app)
    phone.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1"
    tablet = browser(app)
    for device in (phone, tablet):
        device.post("/account/sign-in", data={"username": "alice", "password": PASSWORD})
    page = alices.get("/account/devices")
    assert page.text.count("This device") == 1
    assert "Safari on iPhone" in page.text
    entry = re.search(r'name="session_id" value="([^"]+)">Sign out<span class="unseen"> Safari on iPhone', page.text)
    ended = saved(alices, "/account/devices", {"session_id": entry[1] if entry else ""})
    assert messages(ended) == ["Signed out."]
    assert [device.get("/account").status_code for device in (alices, phone, tablet)] == [200, 307, 200]
    saved(alices, "/account/devices", {})
    assert [device.get("/account").status_code for device in (alices, tablet)] == [200, 307]


@pytest.mark.parametrize(
    ("session_id", "status"), [("nothing", 404), ("a\x00", 400), ("x" * 101, 400), ("\u202e", 400)]
)
def test_a_device_that_is_not_there_is_refused_with_a_page(alices: FlaskClient, session_id: str, status: int) -> None:
    answer = alices.post("/account/devices", data={"session_id": session_id})
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


def test_another_customers_device_is_not_found(
    alices: FlaskClient, register: Callable[..., Any], login: Callable[..., Any], client: FlaskClient
) -> None:
    register("bob")
    headers = {"Authorization": f"Bearer {login('bob').json['token']}"}
    session_id = client.get("/sessions", headers=headers).json[0]["id"]  # type: ignore[index]
    assert alices.post("/account/devices", data={"session_id": session_id}).status_code == 404
    assert client.get("/profile", headers=headers).status_code == 200


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "x" * 300, "\x1b[31m", ""])
def test_a_device_may_call_itself_anything(app: Api, alices: FlaskClient, name: str) -> None:
    device = browser(app)
    device.environ_base["HTTP_USER_AGENT"] = name
    device.post("/account/sign-in", data={"username": "alice", "password": PASSWORD})
    page = alices.get("/account/devices")
    assert page.status_code == 200
    assert "<script>alert" not in page.text


def test_own_data_is_downloaded(alices: FlaskClient) -> None:
    assert "/account/data/account.json" in alices.get("/account/data").text
    answer = alices.get("/account/data/account.json")
    assert answer.json["profile"]["username"] == "alice"  # type: ignore[index]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="account.json"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_account_is_deleted_with_its_password_alone(alices: FlaskClient) -> None:
    refused = alices.post("/account/delete", data={"password": "wrong horse"})
    assert (refused.status_code, field_errors(refused)) == (403, {"password": "Wrong password."})
    empty = alices.post("/account/delete", data={})
    assert (empty.status_code, set(field_errors(empty))) == (400, {"password"})
    assert alices.get("/account").status_code == 200
    answer = alices.post("/account/delete", data={"password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sign-in?done=deleted")
    assert alices.get_cookie("shop-token") is None
    assert alices.get_cookie("shop-device", path="/account") is None
    again = alices.post("/account/sign-in", data={"username": "alice", "password": PASSWORD})
    assert again.status_code == 401


PAGES = ["", "/address", "/password", "/devices", "/data", "/delete", "/sign-out"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_account_is_kept_by_no_cache(alices: FlaskClient, page: str) -> None:
    answer = alices.get(f"/account{page}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert len(answer.data) < 30_000
