"""Problems are pages for browsers, JSON for programs; no page runs or loads what is not the shop's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Response, request
from flask.testing import FlaskClient

from chassis.http.openapi import Api
from chassis.pages.blueprint import public_pages
from chassis.problems import Conflict, InvalidToken, TooManyRequests, Unavailable

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FAILURES: dict[str, Exception] = {
    "busy": TooManyRequests(7),
    "away": Unavailable(),
    "bug": RuntimeError("password=hunter2 leaked"),
    "conflict": Conflict("<script>alert(1)</script>"),
    "token": InvalidToken(),
}


@pytest.fixture
def client(start: Callable[..., Api]) -> FlaskClient:
    pages = public_pages("pages", __name__, "/page")

    @pages.route("/<failure>", methods=["GET", "POST"])
    def show(failure: str) -> Response:
        if failure in FAILURES:
            raise FAILURES[failure]
        return Response(request.args.get("a", str(len(request.form))))

    return start(pages).test_client()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (BROWSER["Accept"], "text/html"),
        ("text/html", "text/html"),
        ("text/html;q=0.9, application/json;q=0.8", "text/html"),
        ("*/*", "application/problem+json"),
        ("", "application/problem+json"),
        ("application/json", "application/problem+json"),
        ("application/problem+json, text/html;q=0.5", "application/problem+json"),
        ("text/*;q=0.1, application/problem+json", "application/problem+json"),
        ("garbage;;;q=x", "application/problem+json"),
        (f"text/html, {'a/b, ' * 200}", "application/problem+json"),
    ],
)
@pytest.mark.parametrize("path", ["/nothing", "/page/conflict"])
def test_a_page_goes_only_to_clients_that_ask_for_html(client: FlaskClient, path: str, accept: str, kind: str) -> None:
    assert client.get(path, headers={"Accept": accept}).mimetype == kind


def test_an_error_page_names_the_request_and_hides_the_fault(client: FlaskClient) -> None:
    answer = client.get("/page/bug", headers=BROWSER)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (500, "no-store")
    assert answer.headers["X-Request-ID"] in answer.text
    assert "This is our fault" in answer.text
    assert "hunter2" not in answer.text


def test_an_error_page_tells_when_to_come_back(client: FlaskClient) -> None:
    answer = client.get("/page/busy", headers=BROWSER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert "WWW-Authenticate" not in client.get("/page/token", headers=BROWSER).headers


def test_only_a_page_that_was_read_tries_again_by_itself(client: FlaskClient) -> None:
    form = BROWSER | {"Sec-Fetch-Site": "same-origin"}
    assert "data-retry" in client.get("/page/away", headers=BROWSER).text
    assert "data-retry" not in client.post("/page/away", headers=form).text
    assert "data-retry" not in client.get("/page/bug", headers=BROWSER).text


def test_text_of_others_is_shown_as_text(client: FlaskClient) -> None:
    text = client.get("/page/conflict", headers=BROWSER).text
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>" not in text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/page/x", 405), ("GET", "//page/x", 404)]
)
def test_flasks_own_errors_are_pages_too(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open("/", method=method, headers=BROWSER, environ_overrides={"PATH_INFO": path})
    assert answer.status_code == status


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"])
def test_a_form_of_more_than_32_kib_is_refused(client: FlaskClient, kind: str) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n' + b"x" * 33_000 + b"\r\n--b--\r\n"
    body = part if "multipart" in kind else b"a=" + b"x" * 33_000
    headers = BROWSER | {"Sec-Fetch-Site": "same-origin", "Content-Type": kind}
    assert client.post("/page/form", data=body, headers=headers).status_code == 413


def test_a_form_of_more_than_100_parts_is_refused(client: FlaskClient) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    headers = BROWSER | {"Sec-Fetch-Site": "same-origin", "Content-Type": "multipart/form-data; boundary=b"}
    statuses = [
        client.post("/page/form", data=part * parts + b"--b--\r\n", headers=headers).status_code for parts in (100, 101)
    ]
    assert statuses == [200, 413]


def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(client: FlaskClient) -> None:
    answer = client.get("/nothing", headers=BROWSER)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' https:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert (answer.headers["Referrer-Policy"], answer.headers["Vary"]) == ("same-origin", "Cookie")
    assert "style=" not in answer.text
    assert "//" not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_forms_may_be_led_over_the_other_services_port(start: Callable[..., Api]) -> None:
    answer = start(sibling_port=5001).test_client().get("/nothing", headers=BROWSER)
    assert "form-action 'self' http://localhost:5001;" in answer.headers["Content-Security-Policy"]


def test_a_query_that_is_no_utf_8_is_read_all_the_same(client: FlaskClient) -> None:
    odd = {"PATH_INFO": "/page/query", "QUERY_STRING": "a=\xff%FF"}
    assert client.get("/", headers=BROWSER, environ_overrides=odd).text == "%FF%FF"


def test_the_root_leads_to_the_pages(client: FlaskClient) -> None:
    answer = client.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/toy")
