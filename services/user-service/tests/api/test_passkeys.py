"""The pages of passkeys, with a passkey in software."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie
from typing import Any

import pytest
from authenticator import PRESENT, Authenticator
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from chassis.rate_limit.limiter import RateLimiter
from user_service.passkeys import challenges, rules
from user_service.passkeys.challenges import Challenges
from user_service.passkeys.rules import ChallengeExpired

HOME = "/account/passkeys"
PASSWORD = "correct horse"
OURS = {"Origin": "http://localhost", "Accept": "application/json"}
SESSIONS = "SELECT user_id FROM sessions WHERE ended_at IS NULL"


class Visitor:
    """A browser that shows the shop's pages."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **sent: Any) -> TestResponse:
        return self.client.post(path, headers=OURS, **sent)

    def use_password(self, username: str) -> Visitor:
        form = {"username": username, "password": PASSWORD}
        assert self.post("/account/sign-in", data=form).status_code == 303
        return self

    def options_to_add(self, password: str = PASSWORD, name: str = "Phone") -> TestResponse:
        return self.post(f"{HOME}/options", data={"name": name, "current_password": password})

    def send_new(self, credential: Any, name: str = "Phone") -> TestResponse:
        return self.post(f"{HOME}/add", json={"name": name, "credential": credential})

    def add(self, passkey: Authenticator, name: str = "Phone") -> TestResponse:
        return self.send_new(passkey.create(self.options_to_add(name=name).json), name)

    def options_to_sign_in(self) -> dict[str, Any]:
        answer: Any = self.post(f"{HOME}/sign-in/options").json
        return dict(answer)

    def send_answer(self, credential: Any, query: str = "") -> TestResponse:
        return self.post(f"{HOME}/sign-in{query}", json={"credential": credential})

    def sign_in(self, passkey: Authenticator, query: str = "") -> TestResponse:
        return self.send_answer(passkey.get(self.options_to_sign_in()), query)

    def keep_challenge(self, signed: str) -> None:
        self.client.set_cookie("shop-challenge", signed, path="/account")

    @property
    def challenge(self) -> str:
        cookie = self.client.get_cookie("shop-challenge", path="/account")
        return cookie.value if cookie else ""


@pytest.fixture
def alice(app: Flask, register: Callable[..., Any]) -> Visitor:
    register("alice")
    return Visitor(app).use_password("alice")


@pytest.fixture
def bob(app: Flask, register: Callable[..., Any]) -> Visitor:
    register("bob")
    return Visitor(app).use_password("bob")


@pytest.fixture
def stranger(app: Flask) -> Visitor:
    return Visitor(app)


@pytest.fixture
def passkey(alice: Visitor) -> Authenticator:
    """Return a passkey that Alice has added."""
    passkey = Authenticator()
    assert alice.add(passkey).json == {"next": f"{HOME}?done=added"}
    return passkey


def refusal(answer: TestResponse) -> tuple[int, str]:
    assert answer.content_type == "application/problem+json"
    return answer.status_code, answer.json["code"]  # type: ignore[index]


# Signing in


def test_passkey_opens_a_session_without_a_username(passkey: Authenticator, stranger: Visitor) -> None:
    answer = stranger.sign_in(passkey)
    assert (answer.status_code, answer.json) == (200, {"next": "/account"})
    assert "Your username is alice" in stranger.get("/account").text
    assert "last used" in stranger.get(HOME).text
    assert stranger.challenge == ""


def test_cookies_of_the_session_are_those_of_a_password(alice: Visitor, passkey: Authenticator) -> None:
    with_password = alice.post("/account/sign-in", data={"username": "alice", "password": PASSWORD})
    expected = session_cookies(with_password)
    assert set(expected) == {"shop-token", "shop-refresh"}
    assert session_cookies(alice.sign_in(passkey)) == expected


def session_cookies(answer: TestResponse) -> dict[str, tuple[str, ...]]:
    """Return the attributes of the session's cookies, without values and dates."""
    cookies: SimpleCookie = SimpleCookie()
    for header in answer.headers.getlist("Set-Cookie"):
        cookies.load(header)
    kept = {name: cookies[name] for name in ("shop-token", "shop-refresh") if name in cookies}
    return {
        name: tuple(str(cookie[attribute]) for attribute in ("path", "max-age", "httponly", "secure", "samesite"))
        for name, cookie in kept.items()
    }


@pytest.mark.parametrize(
    ("following", "page"),
    [("/account/devices", "/account/devices"), ("//evil.example", "/account"), ("https://evil.example", "/account")],
)
def test_sign_in_leads_on_to_a_page_of_the_shop_alone(
    passkey: Authenticator, stranger: Visitor, following: str, page: str
) -> None:
    assert stranger.sign_in(passkey, f"?next={following}").json == {"next": page}


def test_options_name_the_host_and_ask_for_a_verified_user(alice: Visitor, stranger: Visitor) -> None:
    to_sign_in, to_add = stranger.options_to_sign_in(), alice.options_to_add().json
    assert to_add is not None
    assert (to_sign_in["rpId"], to_sign_in["userVerification"]) == ("localhost", "required")
    assert (to_add["rp"]["id"], to_add["user"]["name"]) == ("localhost", "alice")
    assert to_add["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert to_sign_in["allowCredentials"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:81"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"user_handle": "dS1ib2I"},
        {"key": Authenticator().key},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_answer_that_proves_something_else_is_refused(
    passkey: Authenticator, stranger: Visitor, run: Callable[..., Any], changes: dict[str, Any]
) -> None:
    for name, value in changes.items():
        setattr(passkey, name, value)
    before = run(SESSIONS)
    assert refusal(stranger.sign_in(passkey)) == (400, "passkey_refused")
    assert run(SESSIONS) == before


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://localhost", 200),
        ("https://localhost:8443", 400),
        ("http://localhost", 400),
        ("http://localhost:8443", 400),
    ],
)
def test_outside_local_an_answer_is_for_https_and_its_default_port(
    app: Flask, passkey: Authenticator, origin: str, status: int
) -> None:
    settings = app.services.settings  # type: ignore[attr-defined]
    app.services.settings = settings.model_copy(update={"app_env": "prod"})  # type: ignore[attr-defined]
    try:
        client, passkey.origin = app.test_client(), origin
        sent = {"base_url": "https://localhost:8443", "headers": {"Sec-Fetch-Site": "same-origin"}}
        options = client.post(f"{HOME}/sign-in/options", **sent).json
        answer = client.post(f"{HOME}/sign-in", json={"credential": passkey.get(options)}, **sent)
    finally:
        app.services.settings = settings  # type: ignore[attr-defined]
    assert answer.status_code == status


def test_sign_in_ends_the_session_that_the_browser_had(
    passkey: Authenticator, bob: Visitor, run: Callable[..., Any]
) -> None:
    before = {row.user_id for row in run(SESSIONS)}
    assert bob.sign_in(passkey).status_code == 200
    (owner,) = {row.user_id for row in run(SESSIONS)}
    assert len(before) == 2
    assert owner in before


def test_answer_to_another_challenge_is_refused(passkey: Authenticator, stranger: Visitor) -> None:
    answer = passkey.get(stranger.options_to_sign_in())
    stranger.options_to_sign_in()
    assert refusal(stranger.send_answer(answer)) == (400, "passkey_refused")


def test_replayed_answer_is_refused(passkey: Authenticator, stranger: Visitor, run: Callable[..., Any]) -> None:
    passkey.sign_count = -1  # it does not count: its answers say 0
    answer = passkey.get(stranger.options_to_sign_in())
    signed = stranger.challenge
    assert stranger.send_answer(answer).status_code == 200
    before = run(SESSIONS)
    stranger.keep_challenge(signed)
    assert refusal(stranger.send_answer(answer)) == (409, "challenge_used")
    assert run(SESSIONS) == before


def test_of_equal_answers_at_once_one_opens_a_session(
    app: Flask, passkey: Authenticator, stranger: Visitor, run: Callable[..., Any]
) -> None:
    passkey.sign_count = -1
    answer = passkey.get(stranger.options_to_sign_in())
    before = len(run(SESSIONS))

    def send(_: int) -> int:
        thief = Visitor(app)
        thief.keep_challenge(stranger.challenge)
        return thief.send_answer(answer).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(send, range(8))) == [200, *[409] * 7]
    assert len(run(SESSIONS)) == before + 1


def test_expired_challenge_is_refused(
    passkey: Authenticator, stranger: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - challenges.SECONDS - 1)
        answer = passkey.get(stranger.options_to_sign_in())
    assert refusal(stranger.send_answer(answer)) == (400, "challenge_expired")


@pytest.mark.parametrize("signed", ["", "x", "MTIz.aaaaaa.bbbbbb", "\u00e9"])
def test_forged_challenge_is_refused(passkey: Authenticator, stranger: Visitor, signed: str) -> None:
    answer = passkey.get(stranger.options_to_sign_in())
    stranger.keep_challenge(signed)
    assert refusal(stranger.send_answer(answer)) == (400, "challenge_expired")


def test_used_challenges_are_deleted_when_they_have_expired(
    passkey: Authenticator, stranger: Visitor, run: Callable[..., Any]
) -> None:
    stranger.sign_in(passkey)
    assert run("SELECT count(*) FROM used_challenges") == [(2,)]
    run("UPDATE used_challenges SET expires_at = now() - interval '1 second'")
    stranger.sign_in(passkey)
    assert run("SELECT count(*) FROM used_challenges") == [(1,)]


def test_unknown_passkey_is_refused_by_name(alice: Visitor, stranger: Visitor) -> None:
    answer = stranger.sign_in(Authenticator())
    assert refusal(answer) == (401, "unknown_passkey")
    assert "was removed" in answer.json["error"]  # type: ignore[index]


def test_passkey_of_a_deleted_account_is_unknown(alice: Visitor, passkey: Authenticator, stranger: Visitor) -> None:
    assert alice.post("/account/delete", data={"password": PASSWORD}).status_code == 303
    assert refusal(stranger.sign_in(passkey)) == (401, "unknown_passkey")


def test_passkey_whose_count_goes_backwards_is_refused(
    passkey: Authenticator, stranger: Visitor, run: Callable[..., Any]
) -> None:
    passkey.sign_count = 7
    assert stranger.sign_in(passkey).status_code == 200
    before = run(SESSIONS)
    for count in (7, 8, 0):
        passkey.sign_count = count - 1
        assert refusal(stranger.sign_in(passkey)) == (401, "passkey_copied")
    assert run(SESSIONS) == before
    assert run("SELECT sign_count FROM passkeys") == [(8,)]


@pytest.mark.parametrize(
    "change",
    ["UPDATE users SET password_changed_at = clock_timestamp()", "DELETE FROM passkeys"],
    ids=lambda sql: sql[:6],
)
def test_account_that_changes_during_the_check_is_not_entered(
    passkey: Authenticator, stranger: Visitor, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    verify = rules.verify_answer

    def change_and_verify(*given: Any, **named: Any) -> int:
        run(change)
        return verify(*given, **named)

    monkeypatch.setattr(rules, "verify_answer", change_and_verify)
    before = run(SESSIONS)
    assert refusal(stranger.sign_in(passkey)) == (401, "unknown_passkey")
    assert run(SESSIONS) == before


def test_sign_ins_from_one_address_are_limited(app: Flask, passkey: Authenticator, stranger: Visitor) -> None:
    app.services.rate_limiter = RateLimiter("memory://", per_address=2)
    answers = [stranger.sign_in(passkey).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


MALFORMED: list[Any] = [
    None,
    [],
    "x",
    {},
    {"id": "x"},
    {"id": "x", "rawId": "x", "type": "public-key", "response": {}},
    {"id": "AA", "rawId": "AA", "type": ["public-key"], "response": {}},
    {
        "id": "AA",
        "rawId": "AA",
        "type": "public-key",
        "response": {"clientDataJSON": "\u00e9", "authenticatorData": "A", "signature": "A", "userHandle": "A"},
    },
    {
        "id": "AA",
        "rawId": "AA",
        "type": "public-key",
        "response": {"clientDataJSON": "e30", "attestationObject": "o2NmbXQ", "transports": [[]]},
    },
]


@pytest.mark.parametrize("credential", MALFORMED)
def test_malformed_credential_is_refused(alice: Visitor, credential: Any) -> None:
    alice.options_to_sign_in()
    assert alice.send_answer(credential).status_code == 400
    alice.options_to_add()
    assert alice.send_new(credential).status_code == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"\xff", "content_type": "application/json"}, 400),
        ({"data": b"[" * 30_000, "content_type": "application/json"}, 400),
        ({"data": b'{"credential":' + b'{"a":' * 1_000 + b"1" + b"}" * 1_001, "content_type": "application/json"}, 400),
        ({"data": b'{"credential":' * 2_000, "content_type": "application/json"}, 400),
        ({"data": {"credential": "x"}}, 415),
        ({"json": {"credential": {}, "user_id": "u-1"}}, 400),
        ({"json": {"credential": {"id": "x" * 70_000}}}, 413),
    ],
)
def test_other_bodies_are_refused(stranger: Visitor, sent: dict[str, Any], status: int) -> None:
    stranger.options_to_sign_in()
    assert stranger.post(f"{HOME}/sign-in", **sent).status_code == status


@pytest.mark.parametrize("path", [f"{HOME}/options", f"{HOME}/add", f"{HOME}/sign-in", f"{HOME}/sign-in/options"])
def test_scripts_of_other_sites_are_refused(alice: Visitor, path: str) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        answer = alice.client.post(path, headers=headers, json={})
        assert refusal(answer) == (403, "forged_request")


@pytest.mark.parametrize("host", ["", ":5001", "evil.example", "[::1]:5001", "a b", "[", "é"])
def test_no_host_header_breaks_the_pages(passkey: Authenticator, stranger: Visitor, host: str) -> None:
    headers = {**OURS, "Host": host, "Sec-Fetch-Site": "same-origin"}
    options = stranger.client.post(f"{HOME}/sign-in/options", headers=headers)
    assert options.status_code in {200, 400}
    answer = passkey.get(stranger.options_to_sign_in())
    assert refusal(stranger.client.post(f"{HOME}/sign-in", headers=headers, json={"credential": answer}))[0] == 400


# Adding


def test_adding_needs_the_password(alice: Visitor, run: Callable[..., Any]) -> None:
    assert refusal(alice.options_to_add("wrong horse")) == (403, "wrong_password")
    assert refusal(alice.options_to_add("")) == (400, "invalid_request")
    assert alice.challenge == ""
    made = Authenticator().create({"user": {"id": ""}, "challenge": "AA"})
    assert refusal(alice.send_new(made)) == (400, "challenge_expired")
    assert run("SELECT count(*) FROM passkeys") == [(0,)]


def test_guessing_the_password_while_adding_is_limited(alice: Visitor) -> None:
    statuses = [alice.options_to_add("wrong horse").status_code for _ in range(8)]
    assert statuses[:5] == [403] * 5
    assert statuses[-1] == 429


def test_challenge_serves_its_own_purpose_and_session_alone(
    alice: Visitor, passkey: Authenticator, bob: Visitor, run: Callable[..., Any]
) -> None:
    made = Authenticator().create({"user": {"id": ""}, **alice.options_to_sign_in()})
    assert refusal(alice.send_new(made)) == (400, "challenge_expired")
    made = Authenticator().create(alice.options_to_add().json)  # type: ignore[arg-type]
    bob.keep_challenge(alice.challenge)
    assert refusal(bob.send_new(made)) == (400, "challenge_expired")
    assert refusal(alice.send_answer(passkey.get(bob.options_to_sign_in()))) == (400, "challenge_expired")
    assert run("SELECT count(*) FROM passkeys") == [(1,)]


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"credential_id": bytes(1024)},
        {"credential_id": b""},
    ],
    ids=str,
)
def test_new_passkey_for_something_else_is_refused(
    alice: Visitor, run: Callable[..., Any], changes: dict[str, Any]
) -> None:
    new = Authenticator()
    for name, value in changes.items():
        setattr(new, name, value)
    assert refusal(alice.add(new)) == (400, "passkey_refused")
    assert run("SELECT count(*) FROM passkeys") == [(0,)]


def test_answer_adds_one_passkey_alone(alice: Visitor, run: Callable[..., Any]) -> None:
    options: Any = alice.options_to_add().json
    signed = alice.challenge
    assert alice.send_new(Authenticator().create(options)).status_code == 200
    alice.keep_challenge(signed)
    assert refusal(alice.send_new(Authenticator().create(options))) == (409, "challenge_used")
    assert run("SELECT count(*) FROM passkeys") == [(1,)]


def test_passkey_of_another_account_is_refused(
    passkey: Authenticator, bob: Visitor, stranger: Visitor, run: Callable[..., Any]
) -> None:
    before = run("SELECT * FROM passkeys")
    assert refusal(bob.add(passkey)) == (409, "passkey_taken")
    assert run("SELECT * FROM passkeys") == before


def test_browser_offers_no_device_that_has_a_passkey_already(alice: Visitor, passkey: Authenticator) -> None:
    options: Any = alice.options_to_add().json
    assert [known["id"] for known in options["excludeCredentials"]] == [passkey.id]


def test_account_has_at_most_20_passkeys(alice: Visitor, passkey: Authenticator, run: Callable[..., Any]) -> None:
    options: Any = alice.options_to_add().json
    run("""
        INSERT INTO passkeys (credential_id, user_id, public_key, sign_count, name)
        SELECT decode(to_hex(n), 'hex'), user_id, public_key, 0, 'n' FROM passkeys, generate_series(16, 34) AS n
    """)
    assert refusal(alice.send_new(Authenticator().create(options))) == (409, "too_many_passkeys")
    assert refusal(alice.options_to_add()) == (409, "too_many_passkeys")
    assert run("SELECT count(*) FROM passkeys") == [(20,)]
    shown = alice.get(HOME).text
    assert f'href="{HOME}/add"' not in shown
    assert "which is the most" in shown


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\u202eb", "a\nb", "\x00"])
def test_names_are_one_visible_line(alice: Visitor, passkey: Authenticator, run: Callable[..., Any], name: str) -> None:
    assert refusal(alice.options_to_add(name=name)) == (400, "invalid_request")
    assert alice.send_new({}, name).status_code == 400
    assert alice.post(f"{HOME}/{passkey.id}/name", data={"name": name}).status_code == 400
    assert run("SELECT name FROM passkeys") == [("Phone",)]


# Renaming and removing


def test_passkey_is_renamed(alice: Visitor, passkey: Authenticator) -> None:
    assert 'value="Phone"' in alice.get(f"{HOME}/{passkey.id}/name").text
    answer = alice.post(f"{HOME}/{passkey.id}/name", data={"name": "<b>Key & ring</b>"})
    assert (answer.status_code, answer.location) == (303, f"{HOME}?done=renamed")
    assert "<h2>&lt;b&gt;Key &amp; ring&lt;/b&gt;</h2>" in alice.get(HOME).text


def test_removed_passkey_signs_in_no_more(alice: Visitor, passkey: Authenticator, stranger: Visitor) -> None:
    assert "current_password" in alice.get(f"{HOME}/{passkey.id}/remove").text
    answer = alice.post(f"{HOME}/{passkey.id}/remove", data={"current_password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, f"{HOME}?done=removed")
    assert refusal(stranger.sign_in(passkey)) == (401, "unknown_passkey")


def test_removing_needs_the_password(alice: Visitor, passkey: Authenticator, run: Callable[..., Any]) -> None:
    wrong = alice.post(f"{HOME}/{passkey.id}/remove", data={"current_password": "wrong horse"})
    missing = alice.post(f"{HOME}/{passkey.id}/remove", data={})
    assert (wrong.status_code, missing.status_code) == (403, 400)
    assert "Wrong password." in wrong.text
    for _ in range(20):
        wrong = alice.post(f"{HOME}/{passkey.id}/remove", data={"current_password": "wrong horse"})
    assert (wrong.status_code, "Retry-After" in wrong.headers) == (429, True)
    assert run("SELECT count(*) FROM passkeys") == [(1,)]


def test_passkey_has_one_address(alice: Visitor, passkey: Authenticator) -> None:
    for spelling in (f"{passkey.id}==", f"{passkey.id}*", f" {passkey.id}"):
        assert alice.get(f"{HOME}/{spelling}/name").status_code == 404


def test_passkeys_of_others_are_not_found(bob: Visitor, passkey: Authenticator, run: Callable[..., Any]) -> None:
    for passkey_id in (passkey.id, "AA", "no-id", "\u00e9", "A" * 3000):
        for page in ("name", "remove"):
            assert bob.get(f"{HOME}/{passkey_id}/{page}").status_code == 404
            sent = {"name": "Mine", "current_password": PASSWORD}
            assert bob.post(f"{HOME}/{passkey_id}/{page}", data=sent).status_code == 404
    assert run("SELECT name FROM passkeys") == [("Phone",)]


# Personal data


def test_export_names_the_passkeys(
    client: FlaskClient, alice: Visitor, passkey: Authenticator, sign_in: Callable[..., dict[str, str]]
) -> None:
    exported = client.get("/profile/export", headers=sign_in("alice")).json["passkeys"]
    assert [set(entry) for entry in exported] == [{"name", "created_at", "last_used_at"}]
    assert (exported[0]["name"], exported[0]["last_used_at"]) == ("Phone", None)
    assert alice.get("/account/data/account.json").json["passkeys"] == exported  # type: ignore[index]


def test_deletion_erases_the_passkeys(alice: Visitor, passkey: Authenticator, run: Callable[..., Any]) -> None:
    alice.post("/account/delete", data={"password": PASSWORD})
    assert run("SELECT count(*) FROM passkeys") == [(0,)]


# Pages


def test_pages_with_passkeys_alone_load_the_script(alice: Visitor, stranger: Visitor) -> None:
    loaded = re.compile(r'<script src="/account/assets/passkeys\.js\?v=\w+" defer></script>')
    assert loaded.search(stranger.get("/account/sign-in").text)
    assert loaded.search(alice.get(f"{HOME}/add").text)
    assert not loaded.search(alice.get(HOME).text)
    assert len(stranger.get("/account/assets/passkeys.js").data) < 4096


def test_pages_without_javascript_hide_what_needs_it(alice: Visitor, stranger: Visitor) -> None:
    add, sign_in = alice.get(f"{HOME}/add").text, stranger.get("/account/sign-in").text
    assert re.search(r'<form [^>]*data-passkey="create"[^>]* hidden>', add)
    assert re.search(r"<noscript>.*allow JavaScript.*</noscript>", add)
    assert re.search(r'<form [^>]*data-passkey="get"[^>]* hidden>', sign_in)


def test_challenge_of_an_earlier_secret_is_accepted() -> None:
    old, both = Challenges(("old",)), Challenges(("new", "old"))
    issued = old.issue(challenges.SIGN_IN)
    assert both.read(challenges.SIGN_IN, issued.signed) == issued.challenge
    with pytest.raises(ChallengeExpired):
        old.read(challenges.SIGN_IN, both.issue(challenges.SIGN_IN).signed)


@pytest.mark.parametrize("way", ["another passkey", "an app"])
def test_password_alone_adds_no_factor_beside_a_passkey_of_staff(
    *, alice: Visitor, passkey: Authenticator, stranger: Visitor, run: Callable[..., Any], way: str
) -> None:
    run("UPDATE users SET roles = '{staff}'")
    stranger.use_password("alice")
    if way == "an app":
        refused = stranger.post("/account/second-factor", data={"password": PASSWORD})
    else:
        refused = stranger.options_to_add()
    assert refused.status_code == 403
    assert run("SELECT totp_offered FROM users") == [(None,)]
    # whoever signs in with the passkey may
    assert stranger.sign_in(passkey).status_code == 200
    assert stranger.add(Authenticator()).status_code == 200
    assert run("SELECT count(*) FROM passkeys") == [(2,)]


def test_passkey_of_staff_added_meanwhile_refuses_another(
    alice: Visitor, stranger: Visitor, run: Callable[..., Any]
) -> None:
    run("UPDATE users SET roles = '{staff}'")
    stranger.use_password("alice")
    begun = Authenticator().create(stranger.options_to_add().json)
    owners = Authenticator()
    assert alice.add(owners).status_code == 200
    assert refusal(stranger.send_new(begun)) == (403, "proof_needed")


def test_session_of_before_the_app_adds_no_passkey(
    alice: Visitor, passkey: Authenticator, run: Callable[..., Any]
) -> None:
    run("UPDATE users SET totp_secret = 'A', totp_since = now()")
    assert refusal(alice.options_to_add()) == (403, "proof_needed")
