"""Sign up, sign in, renew and sign out in the browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner
from werkzeug.test import TestResponse

from chassis.auth.tokens import DemoTokens
from chassis.http.openapi import Api
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import browser, field_errors, field_values, messages
from user_service.accounts.hashing import Busy

PASSWORD = "correct horse"
SIGN_IN = {"username": "alice", "password": PASSWORD}
SIGN_UP = SIGN_IN | {"name": "Alice", "email": "alice@example.com"}
OUTSIDE = ["//evil.example", "/\\evil.example", "http://evil.example", "/a\nb", "/\u00e9", "evil", ""]


def location(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("Location", "")


def cookies(client: FlaskClient) -> set[str]:
    """Return the names of the session's cookies, as far as /account sees them."""
    names = {name: "/account" if name in {"refresh", "device"} else "/" for name in ("token", "refresh", "device")}
    return {name for name, path in names.items() if client.get_cookie(f"shop-{name}", path=path)}


def summary(answer: TestResponse) -> bool:
    return "Please check what you entered." in answer.text


def test_the_root_leads_to_the_account(visitor: FlaskClient) -> None:
    assert location(visitor.get("/")) == (302, "/account")


def test_signing_up_opens_an_account_and_a_session(visitor: FlaskClient) -> None:
    assert visitor.get("/account/sign-up").status_code == 200
    assert location(visitor.post("/account/sign-up?next=/shop/checkout", data=SIGN_UP)) == (303, "/shop/checkout")
    assert cookies(visitor) == {"token", "refresh", "device"}
    profile = field_values(visitor.get("/account"))
    assert (profile["name"], profile["email"]) == ("Alice", "alice@example.com")


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"username": "", "password": ""}, {"username": "Username is missing.", "password": "Password is missing."}),
        ({"username": "ab"}, {"username": "Username needs at least 3 characters."}),
        ({"username": "a b c"}, {"username": "Spaces and invisible characters are not allowed."}),
        ({"password": "short"}, {"password": "Password needs at least 8 characters."}),
        ({"password": "password"}, {"password": "The password is among the most common ones. Please choose another."}),
        ({"name": "N" * 101}, {"name": "Name may have at most 100 characters."}),
        ({"username": "bob"}, {"username": "This username is taken. Please choose another."}),
    ],
)
def test_a_wrong_sign_up_is_explained_and_keeps_all_but_the_password(
    visitor: FlaskClient, register: Callable[..., Any], fields: dict[str, str], errors: dict[str, str]
) -> None:
    register("bob")
    answer = visitor.post("/account/sign-up?next=/shop", data=SIGN_UP | fields)
    assert answer.status_code in {400, 409}
    assert field_errors(answer) == errors
    assert summary(answer)
    shown = field_values(answer)
    assert {name: shown[name] for name in ("username", "name", "email")} == {
        name: (SIGN_UP | fields)[name] for name in ("username", "name", "email")
    }
    assert "password" not in field_values(answer)
    assert "horse" not in answer.text
    assert "next=/shop" in answer.text
    assert cookies(visitor) == set()


def test_an_account_that_cannot_be_signed_in_now_leads_to_the_sign_in(
    app: Api, visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise Busy

    monkeypatch.setattr("user_service.sessions.actions.sign_in", busy)
    answer = visitor.post("/account/sign-up?next=/shop", data=SIGN_UP)
    assert location(answer) == (303, "/account/sign-in?done=signed-up&next=%2Fshop")
    assert messages(visitor.get(answer.headers["Location"])) == ["Your account is open. Please sign in."]


def test_signing_in_leads_on_and_keeps_the_session_from_scripts(
    visitor: FlaskClient, register: Callable[..., Any]
) -> None:
    register("alice")
    answer = visitor.post("/account/sign-in?next=/shop/orders", data=SIGN_IN)
    assert location(answer) == (303, "/shop/orders")
    sent = answer.headers.getlist("Set-Cookie")
    assert [cookie.partition("=")[0] for cookie in sent] == ["shop-token", "shop-refresh", "shop-device"]
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in sent)
    assert visitor.get("/account").status_code == 200


@pytest.mark.parametrize("following", OUTSIDE)
@pytest.mark.parametrize("page", ["sign-in", "sign-up"])
def test_signing_in_never_leads_out_of_the_shop(
    visitor: FlaskClient, register: Callable[..., Any], page: str, following: str
) -> None:
    if page == "sign-in":
        register("alice")
    answer = visitor.post(
        f"/account/{page}", query_string={"next": following}, data=SIGN_UP if page == "sign-up" else SIGN_IN
    )
    assert location(answer) == (303, "/account")


def test_with_make_up_the_way_leads_to_the_other_services_port(app: Api, alices: FlaskClient) -> None:
    settings = app.services.settings
    object.__setattr__(app.services, "settings", settings.model_copy(update={"sibling_port": 5002}))
    try:
        answer = alices.post("/account/sign-in?next=/shop/checkout", data=SIGN_IN, headers={"Host": "localhost:5001"})
        assert location(answer) == (303, "http://localhost:5002/shop/checkout")
    finally:
        object.__setattr__(app.services, "settings", settings)


@pytest.mark.parametrize(
    ("fields", "status", "errors"),
    [
        ({"username": ""}, 400, {"username": "Username is missing."}),
        ({"password": ""}, 400, {"password": "Password is missing."}),
        ({"password": "wrong horse"}, 401, {}),
        ({"username": "nobody"}, 401, {}),
    ],
)
def test_a_wrong_sign_in_is_explained_and_keeps_the_name_alone(
    visitor: FlaskClient, register: Callable[..., Any], fields: dict[str, str], status: int, errors: dict[str, str]
) -> None:
    register("alice")
    answer = visitor.post("/account/sign-in?next=/shop", data=SIGN_IN | fields)
    assert (answer.status_code, field_errors(answer)) == (status, errors)
    assert ("That username and password do not match." in answer.text) is (status == 401)
    assert field_values(answer) == {"username": (SIGN_IN | fields)["username"], "q": ""}
    assert "horse" not in answer.text
    assert "WWW-Authenticate" not in answer.headers
    assert cookies(visitor) == set()


def test_too_many_attempts_are_told_apart_from_a_wrong_password(
    visitor: FlaskClient, register: Callable[..., Any]
) -> None:
    register("alice")
    answers = [visitor.post("/account/sign-in", data=SIGN_IN | {"password": f"wrong {n}"}) for n in range(30)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert "Too many attempts. Please wait a moment, then try again." in answers[-1].text
    assert field_values(answers[-1])["username"] == "alice"
    assert cookies(visitor) == set()


def test_the_devices_cookie_is_sent_with_the_next_sign_in(
    visitor: FlaskClient, register: Callable[..., Any], app: Api
) -> None:
    register("alice")
    visitor.post("/account/sign-in", data=SIGN_IN)
    stranger = browser(app)
    for number in range(30):
        answer = stranger.post("/account/sign-in", data=SIGN_IN | {"password": f"wrong {number}"})
    assert answer.status_code == 429
    assert visitor.post("/account/sign-in", data=SIGN_IN).status_code == 303


def token_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("shop-token")
    return cookie.value if cookie else ""


def refresh_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("shop-refresh", path="/account")
    return cookie.value if cookie else ""


def aged(token: str, seconds: int = 1000) -> str:
    """Return the token as it would have been signed some time ago."""
    tokens, signed_at = DemoTokens((LOCAL_SECRET,), 900), int(time.time()) - seconds
    with patch.object(TimestampSigner, "get_timestamp", lambda _: signed_at):
        return tokens.sign(tokens.verify(token)[0])


def expire(client: FlaskClient) -> None:
    """Replace the token by an expired one, of the same session."""
    client.set_cookie("shop-token", aged(token_of(client)))


@pytest.fixture
def mallorys(app: Api, register: Callable[..., Any]) -> FlaskClient:
    """Register Mallory and sign her in; return her browser."""
    register("mallory")
    client = browser(app)
    assert client.post("/account/sign-in", data=SIGN_IN | {"username": "mallory"}).status_code == 303
    return client


def renew(app: Flask, *cookies: str, method: str = "GET") -> TestResponse:
    """Ask for the renewal with these cookies, in this order."""
    headers = {"Cookie": "; ".join(cookies), "Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    path = "/account/renew?next=/shop/orders"
    return app.test_client(use_cookies=False).open(path, method=method, headers=headers)


def tokens_of(answer: TestResponse) -> list[str]:
    """Return the token and the refresh token that a response sets."""
    pairs = [sent.split(";")[0].split("=", 1) for sent in answer.headers.getlist("Set-Cookie")]
    return [value for name, value in pairs if name in {"shop-token", "shop-refresh"} and value]


SPENT = "SELECT sum(uses) AS uses FROM refresh_tokens"
TO_SIGN_IN = (303, "/account/sign-in?next=%2Fshop%2Forders")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["expired", "forged", "empty", "missing"])
def test_a_refresh_token_of_another_session_signs_nobody_in(
    *, app: Flask, alices: FlaskClient, mallorys: FlaskClient, run: Callable[..., Any], token: str, method: str
) -> None:
    presented = {
        "expired": aged(token_of(alices)),
        "forged": DemoTokens(("x" * 32,), 900).sign(DemoTokens((LOCAL_SECRET,), 900).verify(token_of(mallorys))[0]),
        "empty": "",
    }
    cookies = [f"shop-token={presented[token]}"] if token in presented else []
    answer = renew(app, *cookies, f"shop-refresh={refresh_of(mallorys)}", method=method)
    assert (location(answer), tokens_of(answer)) == (TO_SIGN_IN, [])
    assert run(SPENT)[0].uses == 0


@pytest.mark.parametrize("tossed", [1, 2])
def test_refresh_tokens_that_another_host_has_set_do_not_lock_out(
    app: Flask, alices: FlaskClient, mallorys: FlaskClient, tossed: int
) -> None:
    others = [f"shop-refresh={value}" for value in (refresh_of(mallorys), "dead")[:tossed]]
    own = f"shop-token={aged(token_of(alices))}", f"shop-refresh={refresh_of(alices)}"
    answer = renew(app, *others, *own)
    assert location(answer) == (307, "/shop/orders")
    verify = DemoTokens((LOCAL_SECRET,), 900).verify
    assert verify(tokens_of(answer)[0])[0] == verify(token_of(alices))[0]


def test_a_token_that_is_still_good_is_not_renewed(alices: FlaskClient, run: Callable[..., Any]) -> None:
    before = token_of(alices), refresh_of(alices)
    answer = alices.get("/account/renew?next=/shop/orders", headers={"Sec-Fetch-Site": "cross-site"})
    assert location(answer) == (307, "/shop/orders")
    assert (token_of(alices), refresh_of(alices)) == before
    assert run(SPENT)[0].uses == 0


def test_a_token_that_soon_expires_is_renewed(alices: FlaskClient, run: Callable[..., Any]) -> None:
    alices.set_cookie("shop-token", aged(token_of(alices), 850))
    assert location(alices.get("/account/renew?next=/shop/orders")) == (307, "/shop/orders")
    assert run(SPENT)[0].uses == 1


def test_asking_for_the_headers_of_the_renewal_changes_nothing(alices: FlaskClient, run: Callable[..., Any]) -> None:
    expire(alices)
    answer = alices.head("/account/renew?next=/shop/orders")
    assert (location(answer), answer.headers.getlist("Set-Cookie")) == (TO_SIGN_IN, [])
    assert run(SPENT)[0].uses == 0


LIVE = "SELECT username FROM sessions JOIN users ON users.id = user_id WHERE ended_at IS NULL ORDER BY username"


@pytest.mark.parametrize("page", ["sign-in", "sign-up"])
@pytest.mark.parametrize("is_expired", [False, True])
def test_a_sign_in_ends_the_session_that_the_browser_had(
    alices: FlaskClient, mallorys: FlaskClient, run: Callable[..., Any], page: str, is_expired: bool
) -> None:
    if is_expired:
        expire(mallorys)
    who = SIGN_IN if page == "sign-in" else SIGN_IN | {"username": "eve"}
    assert mallorys.post(f"/account/{page}", data=who).status_code == 303
    assert [row.username for row in run(LIVE)] == ["alice", "alice" if page == "sign-in" else "eve"]


def test_a_refused_sign_in_ends_no_session(alices: FlaskClient, run: Callable[..., Any]) -> None:
    assert alices.post("/account/sign-in", data=SIGN_IN | {"password": "wrong horse"}).status_code == 401
    assert [row.username for row in run(LIVE)] == ["alice"]


def test_a_sign_in_ends_no_session_of_a_token_that_is_not_ours(
    alices: FlaskClient, visitor: FlaskClient, run: Callable[..., Any]
) -> None:
    owner = DemoTokens((LOCAL_SECRET,), 900).verify(token_of(alices))[0]
    visitor.set_cookie("shop-token", DemoTokens(("x" * 32,), 900).sign(owner))
    assert visitor.post("/account/sign-in", data=SIGN_IN).status_code == 303
    assert [row.username for row in run(LIVE)] == ["alice", "alice"]


def test_a_refused_token_is_renewed_and_the_way_leads_back(alices: FlaskClient) -> None:
    expire(alices)
    refresh = alices.get_cookie("shop-refresh", path="/account").value  # type: ignore[union-attr]
    answer = alices.get("/account/devices?a=1")
    assert location(answer) == (307, "/account/renew?next=%2Faccount%2Fdevices%3Fa%3D1")
    renewed = alices.get(answer.headers["Location"])
    assert location(renewed) == (307, "/account/devices?a=1")
    assert alices.get_cookie("shop-refresh", path="/account").value != refresh  # type: ignore[union-attr]
    assert alices.get("/account/devices").status_code == 200


def test_a_form_survives_the_renewal_of_its_token(alices: FlaskClient) -> None:
    expire(alices)
    form = {"name": "Alice Liddell", "email": "alice@example.com"}
    answer = alices.post("/account", data=form, follow_redirects=True)
    assert [(step.status_code, step.request.path) for step in answer.history] == [
        (307, "/account"),
        (307, "/account/renew"),
        (303, "/account"),
    ]
    assert field_values(answer)["name"] == "Alice Liddell"


def test_the_way_back_from_the_renewal_stays_in_the_shop(alices: FlaskClient) -> None:
    for following in OUTSIDE:
        answer = alices.get("/account/renew", query_string={"next": following})
        assert location(answer) == (307, "/account")
    assert location(alices.get("/account/renew?next=/shop/orders")) == (307, "/shop/orders")


@pytest.mark.parametrize("refresh", [None, "", "x", "\u00e9", "x" * 3000])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_session_that_cannot_be_renewed_is_forgotten(
    alices: FlaskClient, visitor: FlaskClient, refresh: str | None, method: str
) -> None:
    visitor.set_cookie("shop-token", aged(token_of(alices)))
    if refresh is not None:
        visitor.set_cookie("shop-refresh", refresh, path="/account")
    answer = visitor.open("/account/renew?next=/shop/orders", method=method)
    assert location(answer) == (303, "/account/sign-in?next=%2Fshop%2Forders")
    assert cookies(visitor) == set()


def test_a_token_that_stays_refused_after_its_renewal_does_not_loop(alices: FlaskClient) -> None:
    assert alices.get("/account/renew?next=/account").status_code == 307
    expire(alices)
    answer = alices.get("/account")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    alices.delete_cookie("shop-renewed")
    assert location(alices.get("/account"))[0] == 307


def test_another_site_cannot_renew_by_a_form(alices: FlaskClient) -> None:
    refresh = alices.get_cookie("shop-refresh", path="/account").value  # type: ignore[union-attr]
    assert alices.post("/account/renew", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert alices.get_cookie("shop-refresh", path="/account").value == refresh  # type: ignore[union-attr]


def test_another_site_cannot_sign_a_visitor_in(visitor: FlaskClient, register: Callable[..., Any]) -> None:
    register("alice")
    assert visitor.post("/account/sign-in", data=SIGN_IN, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert cookies(visitor) == set()


def test_signing_out_ends_the_session_everywhere(app: Flask, alices: FlaskClient) -> None:
    token = alices.get_cookie("shop-token").value  # type: ignore[union-attr]
    assert "Sign out?" in alices.get("/account/sign-out").text
    assert location(alices.post("/account/sign-out")) == (303, "/account/sign-in?done=signed-out")
    assert cookies(alices) == {"device"}
    assert messages(alices.get("/account/sign-in?done=signed-out")) == ["You are signed out."]
    assert app.test_client().get("/profile", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    alices.set_cookie("shop-token", token)
    assert location(alices.get("/account")) == (307, "/account/renew?next=%2Faccount")
    assert location(alices.get("/account/renew?next=/account")) == (303, "/account/sign-in?next=%2Faccount")


def test_a_notice_is_one_of_ours(visitor: FlaskClient) -> None:
    assert messages(visitor.get("/account/sign-in?done=%3Cscript%3E")) == []
