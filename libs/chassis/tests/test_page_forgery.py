"""A request that changes something is refused unless a page of the shop sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie

import pytest
from flask import Response, redirect

from chassis.http.openapi import Api
from chassis.pages.blueprint import public_pages
from chassis.pages.forgery import pass_on
from chassis.settings import LOCAL_SECRET

HERE = "http://localhost"
SITES = [None, "same-origin", "same-site", "cross-site", "none", "", "Same-Origin", "same-origin, cross-site", "?1"]
ORIGINS = [
    None,
    HERE,
    "https://localhost",
    "http://localhost:81",
    "http://localhost.evil.example",
    "http://evil.example",
    "http://evil.example@localhost",
    "http://localhost/",
    "localhost",
    "null",
    "",
    "http://[",
]
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def serve(start: Callable[..., Api], path: str = "/page", **settings: object) -> Callable[..., int]:
    """Return a function that sends a request to a page and returns the status."""
    pages = public_pages("pages", __name__, "/page")
    pages.add_url_rule("", view_func=lambda: Response("done"), endpoint="page", methods=["GET", *WRITES])
    client = start(pages, **settings).test_client(use_cookies=False)

    def send(method: str, site: str | None = None, origin: str | None = None, **headers: str) -> int:
        named = {"Sec-Fetch-Site": site, "Origin": origin, **headers}
        given = {name: value for name, value in named.items() if value is not None}
        return client.open(path, method=method, headers=given).status_code

    return send


def accepted(send: Callable[..., int]) -> Iterator[tuple[str | None, str | None]]:
    """Yield the combinations of Sec-Fetch-Site and Origin with which a POST is served."""
    for site in SITES:
        for origin in ORIGINS:
            status = send("POST", site, origin)
            assert status in {200, 403}
            if status == 200:
                yield site, origin


def test_only_requests_from_the_same_origin_may_change_something(start: Callable[..., Api]) -> None:
    same = {("same-origin", origin) for origin in ORIGINS}
    assert set(accepted(serve(start))) == same | {(None, HERE)}


def test_with_make_up_another_port_is_not_trusted_either(start: Callable[..., Api]) -> None:
    same = {("same-origin", origin) for origin in ORIGINS}
    assert set(accepted(serve(start, sibling_port=5001))) == same | {(None, HERE)}


def marked_cookies(
    start: Callable[..., Api], to: str = "/page", token: str = "token", method: str = "POST", secret: str = LOCAL_SECRET
) -> dict[str, str]:
    """Return the cookies of a browser that a service with this secret leads on, with the form it has sent."""
    app, response = start(sibling_port=5002, service_credential=(secret,)), Response(headers=redirect(to, 307).headers)
    with app.test_request_context("/other", method=method):
        pass_on(response, app.services.settings, token)
    mark = SimpleCookie(response.headers["Set-Cookie"])["shop-passed-on"].value
    return {"Cookie": f"shop-token={token}; shop-passed-on={mark}"}


def test_with_make_up_a_renewal_leads_a_form_over_the_other_port(start: Callable[..., Api]) -> None:
    send, marked = serve(start, sibling_port=5001), marked_cookies(start)
    statuses = {site: send("POST", site, "null", **marked) for site in SITES}
    assert {site for site, status in statuses.items() if status == 200} == {None, "same-site", "same-origin"}


@pytest.mark.parametrize("query", ["?next=%2Fshop%2Fcheckout%3Fa%3D1%26b", "?next=it's a%20page&empty="])
def test_a_form_is_led_on_to_a_page_with_a_query(start: Callable[..., Api], query: str) -> None:
    marked = marked_cookies(start, f"http://localhost:5001/page{query}")
    assert serve(start, f"/page{query}", sibling_port=5001)("POST", "same-site", "null", **marked) == 200


@pytest.mark.parametrize("cookies", ["shop-token=token", "shop-passed-on=", "shop-token=; shop-passed-on="])
def test_a_form_without_the_mark_of_its_token_is_not_led_on(start: Callable[..., Api], cookies: str) -> None:
    assert serve(start, sibling_port=5001)("POST", "same-site", "null", Cookie=cookies) == 403


@pytest.mark.parametrize(
    "other",
    [{"to": "/other"}, {"to": "/page?a=1"}, {"token": ""}, {"method": "PUT"}, {"secret": "k" * 32}],
    ids=lambda other: next(iter(other)),
)
def test_the_mark_of_another_request_leads_no_form_on(start: Callable[..., Api], other: dict[str, str]) -> None:
    send, marked = serve(start, sibling_port=5001), marked_cookies(start, **other)
    assert send("POST", "same-site", "null", **marked) == 403


def test_the_mark_of_another_token_leads_no_form_on(start: Callable[..., Api]) -> None:
    marked = {"Cookie": marked_cookies(start)["Cookie"].replace("shop-token=token", "shop-token=other")}
    assert serve(start, sibling_port=5001)("POST", "same-site", "null", **marked) == 403


def test_a_mark_made_with_the_previous_secret_leads_a_form_on(start: Callable[..., Api]) -> None:
    send = serve(start, sibling_port=5001, service_credential=("n" * 32, LOCAL_SECRET))
    assert send("POST", "same-site", "null", **marked_cookies(start)) == 200


def test_on_one_port_no_form_is_led_on(start: Callable[..., Api]) -> None:
    assert serve(start)("POST", "same-site", "null", **marked_cookies(start)) == 403


def test_behind_https_an_origin_of_http_is_another_one(start: Callable[..., Api]) -> None:
    same = {("same-origin", origin) for origin in ORIGINS}
    assert set(accepted(serve(start, app_env="prod"))) == same | {(None, "https://localhost")}


@pytest.mark.parametrize("method", WRITES)
def test_every_method_that_changes_something_is_refused_without_a_sign(start: Callable[..., Api], method: str) -> None:
    assert serve(start)(method) == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("site", [None, "cross-site"])
def test_a_page_may_be_read_from_everywhere(start: Callable[..., Api], method: str, site: str | None) -> None:
    assert serve(start)(method, site, "http://evil.example") == 200


def test_a_request_whose_host_cannot_be_read_is_refused(start: Callable[..., Api]) -> None:
    assert serve(start)("POST", None, "http://", Host="[") == 403
