"""A request that changes something is refused unless a page of the shop sent it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

import pytest
from flask import Response

from chassis.http.openapi import Api
from chassis.pages.blueprint import public_pages

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


def serve(start: Callable[..., Api], **settings: object) -> Callable[..., int]:
    """Return a function that sends a request to a page and returns the status."""
    pages = public_pages("pages", __name__, "/page")
    pages.add_url_rule("", view_func=lambda: Response("done"), endpoint="page", methods=["GET", *WRITES])
    client = start(pages, **settings).test_client(use_cookies=False)

    def send(method: str, site: str | None = None, origin: str | None = None, **headers: str) -> int:
        named = {"Sec-Fetch-Site": site, "Origin": origin, **headers}
        given = {name: value for name, value in named.items() if value is not None}
        return client.open("/page", method=method, headers=given).status_code

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


def test_with_make_up_a_renewal_leads_a_form_over_the_other_port(start: Callable[..., Api]) -> None:
    send = serve(start, sibling_port=5001)
    marked = {"Cookie": f"shop-token=token; shop-passed-on={sha256(b'token').hexdigest()}"}
    statuses = {site: send("POST", site, "null", **marked) for site in SITES}
    assert {site for site, status in statuses.items() if status == 200} == {None, "same-site", "same-origin"}


@pytest.mark.parametrize(
    "cookies",
    ["shop-token=token", "shop-passed-on=", f"shop-token=other; shop-passed-on={sha256(b'token').hexdigest()}"],
)
def test_a_form_without_the_mark_of_its_token_is_not_led_on(start: Callable[..., Api], cookies: str) -> None:
    assert serve(start, sibling_port=5001)("POST", "same-site", "null", Cookie=cookies) == 403


def test_on_one_port_no_form_is_led_on(start: Callable[..., Api]) -> None:
    marked = {"Cookie": f"shop-token=token; shop-passed-on={sha256(b'token').hexdigest()}"}
    assert serve(start)("POST", "same-site", "null", **marked) == 403


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
