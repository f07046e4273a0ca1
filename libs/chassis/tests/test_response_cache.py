from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from flask.testing import FlaskClient

from chassis.http import response_cache
from chassis.http.api import Query, public
from chassis.http.openapi import Api
from chassis.http.response_cache import cached
from chassis.http.responses import JsonResponse, no_content, raw_json, with_etag
from chassis.problems import InvalidRequest


class ListQuery(Query):
    a: str = ""
    bad: str = ""


class Counter:
    def __init__(self) -> None:
        self.rendered = 0


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def client(start: Callable[..., Api], counter: Counter, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 60)  # independent of the speed of the machine
    lists = public("lists", __name__)

    @lists.get("/list")
    @cached
    def show(query: ListQuery) -> JsonResponse:
        counter.rendered += 1
        if query.bad:
            raise InvalidRequest
        return with_etag(raw_json(f'["{query.a[:9]}", {counter.rendered}]'))

    @lists.post("/list")
    def change() -> JsonResponse:
        return no_content()

    return start(lists).test_client()


def test_a_fresh_response_is_rendered_once_per_query(client: FlaskClient, counter: Counter) -> None:
    first, second, other = client.get("/list?a=1"), client.get("/list?a=1"), client.get("/list?a=2")
    assert (first.data, first.headers["ETag"]) == (second.data, second.headers["ETag"])
    assert other.data != first.data
    assert counter.rendered == 2
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_a_stale_response_is_rendered_again(
    client: FlaskClient, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", -1)
    client.get("/list")
    client.get("/list")
    assert counter.rendered == 2


def test_a_write_clears_the_cache(client: FlaskClient, counter: Counter) -> None:
    client.get("/list")
    client.post("/list")
    client.get("/list")
    assert counter.rendered == 2


def test_problem_is_not_cached(client: FlaskClient, counter: Counter) -> None:
    assert [client.get("/list?bad=1").status_code for _ in range(2)] == [400, 400]
    assert counter.rendered == 2


def test_each_cached_request_is_logged_once(client: FlaskClient, capfd: pytest.CaptureFixture[str]) -> None:
    etag = client.get("/list").headers["ETag"]
    client.get("/list", headers={"If-None-Match": etag})
    client.get("/list?bad=1")
    client.post("/list")
    lines = [orjson.loads(line) for line in capfd.readouterr().out.splitlines()]
    recorded = [(line["method"], line["status"]) for line in lines if line["event"] == "request"]
    assert recorded == [("GET", 200), ("GET", 304), ("GET", 400), ("POST", 204)]


def test_long_queries_do_not_fill_the_memory(client: FlaskClient, counter: Counter) -> None:
    for _ in range(3):
        assert client.get(f"/list?a={'x' * 1000}").status_code == 200
    assert counter.rendered == 3


def test_the_cache_holds_a_bounded_number_of_entries(
    client: FlaskClient, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_cache, "MOST_ENTRIES", 2)
    for query in ("1", "2", "3", "1"):
        client.get(f"/list?a={query}")
    assert counter.rendered == 4
