"""Public pages are rendered once for all visitors without cookies of the shop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from flask import Response, request
from flask.testing import FlaskClient

from chassis.http import response_cache
from chassis.http.openapi import Api
from chassis.http.parsing import Request
from chassis.http.response_cache import ResponseCache, cached
from chassis.http.responses import Rendered
from chassis.pages.blueprint import public_pages, signed_in_pages
from chassis.pages.cookies import BASKET, DEVICE, REFRESH, RENEWED, TOKEN
from chassis.pages.setup import UnsafePage
from chassis.problems import NotFound


class Shop(NamedTuple):
    client: FlaskClient
    rendered: list[str]  # the queries of the pages that were rendered


@pytest.fixture
def shop(start: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(response_cache, "FRESH_SECONDS", 60)  # independent of the speed of the machine
    pages, rendered = public_pages("pages", __name__, "/page"), list[str]()

    @pages.get("/<name>")
    @cached
    def show(name: str) -> Response:
        rendered.append(request.query_string.decode())
        if name == "missing":
            raise NotFound
        return Response(f"{name} {request.host} {request.method} {len(rendered)}", headers={"X-Page": name})

    @pages.get("/fresh")
    def show_fresh() -> Response:
        rendered.append("fresh")
        return Response("fresh")

    return Shop(start(pages).test_client(use_cookies=False), rendered)


def test_visitors_without_cookies_share_a_page(shop: Shop) -> None:
    first, second = shop.client.get("/page/a?q=1"), shop.client.get("/page/a?q=1")
    assert (first.status_code, first.data, first.headers["X-Page"]) == (200, b"a localhost GET 1", "a")
    assert second.data == first.data
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert shop.rendered == ["q=1"]


@pytest.mark.parametrize("env", ["local", "prod"])
@pytest.mark.parametrize("cookie", [TOKEN, BASKET, RENEWED, REFRESH, DEVICE], ids=lambda cookie: cookie.name)
def test_a_visitor_with_a_cookie_of_the_shop_gets_an_own_page(
    shop: Shop, settings: object, cookie: object, env: str
) -> None:
    name = cookie.full_name(settings.model_copy(update={"app_env": env}))  # type: ignore[attr-defined]
    shop.client.get("/page/a")
    own = shop.client.get("/page/a", headers={"Cookie": f"other=1; {name}=x"})
    assert own.data == b"a localhost GET 2"
    assert shop.client.get("/page/a").data == b"a localhost GET 1"


def test_cookies_of_others_do_not_matter(shop: Shop) -> None:
    shop.client.get("/page/a")
    assert shop.client.get("/page/a", headers={"Cookie": "_ga=GA1.2; theme=dark"}).data == b"a localhost GET 1"


def test_host_path_and_query_tell_pages_apart(shop: Shop) -> None:
    urls = [
        ("localhost", "/page/a"),
        ("localhost", "/page/b"),
        ("localhost", "/page/a?q=1"),
        ("shop.example", "/page/a"),
    ]
    bodies = {shop.client.get(path, headers={"Host": host}).data for host, path in urls * 2}
    assert len(bodies) == len(shop.rendered) == 4


def test_a_host_that_looks_like_a_path_is_another_key(shop: Shop) -> None:
    shop.client.get("/page/a", headers={"Host": "localhost/page/a?q="})
    shop.client.get("/page/a?q=/page/a")
    assert len(shop.rendered) == 2


def test_tracking_parameters_do_not_matter(shop: Shop) -> None:
    queries = ("q=1", "q=1&utm_source=mail", "gclid=x&q=1", "fbclid=y&q=1&mc_eid=z")
    assert {shop.client.get(f"/page/a?{query}").data for query in queries} == {b"a localhost GET 1"}
    assert shop.rendered == ["q=1"]


def test_only_successes_are_kept(shop: Shop) -> None:
    answers = [shop.client.get("/page/missing", headers={"Accept": "text/html"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].headers["X-Request-ID"] in answers[0].text
    assert answers[1].headers["X-Request-ID"] in answers[1].text
    assert len(shop.rendered) == 2


def test_an_error_that_another_visitors_thread_rendered_is_rendered_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render_elsewhere(cache: ResponseCache, _key: str, request: Request) -> Rendered:
        with ThreadPoolExecutor(1) as leader:
            return leader.submit(cache._render, request).result()

    monkeypatch.setattr(ResponseCache, "get", render_elsewhere)
    own = {"Accept": "text/html", "X-Request-ID": "my-own-request"}
    answer = shop.client.get("/page/missing", headers=own)
    assert answer.status_code == 404
    assert "my-own-request" in answer.text


def test_head_gets_the_headers_of_the_page_alone(shop: Shop) -> None:
    head, get = shop.client.head("/page/a"), shop.client.get("/page/a")
    assert (head.status_code, head.data, head.headers["X-Page"]) == (200, b"", "a")
    assert head.headers["Content-Length"] == str(len(get.data))
    assert get.data == b"a localhost GET 1"


def test_a_page_that_is_not_marked_is_rendered_each_time(shop: Shop) -> None:
    shop.client.get("/page/fresh")
    shop.client.get("/page/fresh")
    assert shop.rendered == ["fresh", "fresh"]


def test_a_post_to_a_cached_page_reaches_flask(shop: Shop) -> None:
    shop.client.get("/page/a")
    assert shop.client.post("/page/a").status_code == 405


def test_a_cached_page_is_counted_under_its_rule(shop: Shop) -> None:
    def count() -> float:
        lines = shop.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if "_count{" in line and 'route="/page/<name>"' in line)

    before = count()
    shop.client.get("/page/a")
    shop.client.get("/page/a")
    assert count() == before + 2


def test_a_cached_page_for_signed_in_visitors_is_refused_at_start(start: Callable[..., Api]) -> None:
    pages = signed_in_pages("own", __name__, "/own")
    pages.get("/page")(cached(lambda: Response("mine")))
    with pytest.raises(UnsafePage, match="must not be cached"):
        start(pages)
