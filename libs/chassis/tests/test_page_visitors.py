"""Signed-in pages tell their visitor from the token's cookie; others are led to sign in, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from flask import Response
from flask.testing import FlaskClient

from chassis.auth.tokens import DemoTokens
from chassis.context import Caller
from chassis.http.api import checks_session
from chassis.http.openapi import Api
from chassis.pages.blueprint import signed_in_pages
from chassis.pages.visitors import caller
from chassis.problems import InvalidToken
from chassis.settings import LOCAL_SECRET

ALICE = Caller("u-1", "alice", "s-1")
BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


def token(secret: str = LOCAL_SECRET) -> str:
    return DemoTokens((secret,), 900).sign(ALICE)


class Shop(NamedTuple):
    app: Api
    client: FlaskClient
    sent: list[str]  # the usernames that pages were rendered for

    def ask(self, path: str = "/own", method: str = "GET", **cookies: str) -> tuple[int, str]:
        """Return status and Location."""
        cookie = "; ".join(f"shop-{name}={value}" for name, value in cookies.items())
        answer = self.client.open(path, method=method, headers=BROWSER | {"Cookie": cookie})
        return answer.status_code, answer.headers.get("Location", "")


@pytest.fixture
def shop(start: Callable[..., Api]) -> Shop:
    pages, sent = signed_in_pages("own", __name__, "/own"), list[str]()

    def show() -> Response:
        sent.append(caller().username)
        return Response("mine")

    @pages.get("/checked")
    @checks_session
    def show_checked() -> Response:
        return Response("checked")

    @pages.get("/refused")
    @checks_session
    def show_refused() -> Response:
        raise InvalidToken

    pages.add_url_rule("", view_func=show, methods=["GET", "POST"])
    app = start(pages)
    return Shop(app, app.test_client(use_cookies=False), sent)


def test_a_valid_token_names_the_visitor(shop: Shop) -> None:
    assert shop.ask(token=token()) == (200, "")
    assert shop.sent == ["alice"]


def test_without_a_token_the_visitor_signs_in_and_comes_back(shop: Shop) -> None:
    assert shop.ask("/own?a=1&b=2") == (303, "/account/sign-in?next=%2Fown%3Fa%3D1%26b%3D2")
    assert shop.ask(token="") == (303, "/account/sign-in?next=%2Fown")
    assert shop.sent == []


@pytest.mark.parametrize("bad", ["x", "a.b.c", "x" * 5000, token("k" * 40)], ids=["word", "dots", "long", "foreign"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_is_refused_is_renewed_with_method_and_body(shop: Shop, bad: str, method: str) -> None:
    assert shop.ask("/own?a=1", method, token=bad) == (307, "/account/renew?next=%2Fown%3Fa%3D1")
    assert shop.sent == []


def test_an_ended_session_is_renewed_which_user_service_will_refuse(shop: Shop) -> None:
    shop.app.services.has_ended = "s-1".__eq__  # type: ignore[method-assign]
    assert shop.ask(token=token()) == (307, "/account/renew?next=%2Fown")
    assert shop.sent == []


def test_a_page_that_checks_the_session_itself_asks_no_one_else(shop: Shop) -> None:
    shop.app.services.has_ended = "s-1".__eq__  # type: ignore[method-assign]
    assert shop.ask("/own/checked", token=token()) == (200, "")
    assert shop.ask("/own/refused", token=token()) == (307, "/account/renew?next=%2Fown%2Frefused")


def test_a_token_that_is_refused_right_after_its_renewal_ends_the_loop(shop: Shop) -> None:
    answer = shop.client.get("/own", headers=BROWSER | {"Cookie": "shop-token=x; shop-renewed=1"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "signing in is not possible" in answer.text.lower()


@pytest.mark.parametrize("cookies", [{}, {"token": "x"}])
def test_while_nobody_can_sign_in_the_page_says_so(shop: Shop, cookies: dict[str, str]) -> None:
    shop.app.services.sign_in_available = lambda: False
    assert shop.ask(**cookies) == (503, "")
    assert shop.ask(token=token()) == (200, "")


def test_a_forged_form_is_refused_before_anything_is_asked(shop: Shop) -> None:
    answer = shop.client.post("/own", headers={"Cookie": f"shop-token={token()}", "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert shop.sent == []


def test_a_bearer_token_is_not_read_by_pages(shop: Shop) -> None:
    headers = BROWSER | {"Authorization": f"Bearer {token()}"}
    assert shop.client.get("/own", headers=headers).status_code == 303


def test_over_https_only_the_cookie_of_the_own_host_counts(start: Callable[..., Api]) -> None:
    pages = signed_in_pages("own", __name__, "/own")
    pages.add_url_rule("", view_func=lambda: Response(caller().username), endpoint="own")
    client = start(pages, app_env="prod").test_client(use_cookies=False)
    assert client.get("/own", headers={"Cookie": f"__Host-token={token()}"}).text == "alice"
    assert client.get("/own", headers={"Cookie": f"shop-token={token()}"}).status_code == 303
