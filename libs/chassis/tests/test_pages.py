from __future__ import annotations

from typing import Any

import pytest
from flask import Response, request
from flask.testing import FlaskClient

from chassis.http import response_cache as pages
from chassis.http.api import Api
from chassis.http.cors import Cors
from chassis.http.response_cache import ResponseCache
from chassis.http.responses import JsonResponse, raw_json, with_etag
from chassis.telemetry.access_log import RequestRecord, observe


class Counter:
    def __init__(self) -> None:
        self.rendered = 0
        self.recorded: list[RequestRecord] = []


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def client(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(pages, "PAGE_SECONDS", 60)  # however slow the machine is
    app = Api("pages")
    observe(app, counter.recorded.append)
    Cors(("https://shop.example",)).init_app(app)

    @app.route("/list", methods=["GET", "POST"])
    def show() -> Response | JsonResponse:
        counter.rendered += 1
        if "bad" in request.args:
            return Response("no", 400)
        return with_etag(raw_json(f'["{request.query_string.decode()}", {counter.rendered}]'))

    app.wsgi_app = ResponseCache(app, "/list", counter.recorded.append)  # type: ignore[method-assign]
    return app.test_client()


def test_a_page_is_rendered_once_within_the_moment(client: FlaskClient, counter: Counter) -> None:
    first, second, other = client.get("/list?a=1"), client.get("/list?a=1"), client.get("/list?a=2")
    assert (first.data, first.headers["ETag"]) == (second.data, second.headers["ETag"])
    assert other.data != first.data
    assert counter.rendered == 2
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_after_the_moment_it_is_rendered_again(
    client: FlaskClient, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE_SECONDS", -1)
    client.get("/list")
    client.get("/list")
    assert counter.rendered == 2


def test_a_write_forgets_every_page(client: FlaskClient, counter: Counter) -> None:
    client.get("/list")
    client.post("/list")
    client.get("/list")
    assert counter.rendered == 3


def test_a_refusal_is_not_kept(client: FlaskClient, counter: Counter) -> None:
    assert [client.get("/list?bad=1").status_code for _ in range(2)] == [400, 400]
    assert counter.rendered == 2


@pytest.mark.parametrize("etags", ["{etag}", '"x", {etag}', "W/{etag}", "*"])
def test_a_client_that_has_the_page_gets_304_fresh_or_kept(client: FlaskClient, counter: Counter, etags: str) -> None:
    etag = client.get("/list").headers["ETag"]
    answers: list[Any] = [client.get("/list", headers={"If-None-Match": etags.format(etag=etag)}) for _ in range(2)]
    assert [(answer.status_code, answer.data) for answer in answers] == [(304, b"")] * 2
    assert client.get("/list", headers={"If-None-Match": '"other"'}).status_code == 200


def test_each_request_is_recorded_once(client: FlaskClient, counter: Counter) -> None:
    etag = client.get("/list").headers["ETag"]
    client.get("/list", headers={"If-None-Match": etag})
    client.get("/list?bad=1")
    client.post("/list")
    assert [(answered.method, answered.status) for answered in counter.recorded] == [
        ("GET", 200),
        ("GET", 304),
        ("GET", 400),
        ("POST", 200),
    ]


def test_queries_of_any_length_do_not_fill_the_memory(client: FlaskClient, counter: Counter) -> None:
    for number in range(3):
        assert client.get(f"/list?{'x' * 1000}{number}").status_code == 200
    assert counter.rendered == 3
    assert client.application.wsgi_app._pages == {}  # type: ignore[attr-defined]
