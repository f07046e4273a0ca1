"""The shop on one host: port 8080 of the proxy, SHOP_PORT of docker-compose.yml."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest
from containers.engine import Stack, eventually, sign_in

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGE = "<h1>The shop will be back in a moment</h1>"
ITEMS = [{"product_id": "p1", "qty": 1}]


def status(url: str, path: str) -> tuple[int, bool]:
    """Return the status of a path that is sent as it is written, and whether a service answered."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["X-Request-ID"] is not None
    finally:
        connection.close()


def test_customer_buys_on_one_host(stack: Stack) -> None:
    alice = sign_in(stack.shop, "alice")

    assert httpx.get(f"{stack.shop}/profile", headers=alice).json()["username"] == "alice"
    assert httpx.get(f"{stack.shop}/.well-known/jwks.json").json() == {"keys": []}
    assert [product["id"] for product in httpx.get(f"{stack.shop}/products?limit=2").json()] == ["p1", "p2"]
    assert httpx.post(f"{stack.shop}/orders", json={"items": ITEMS}, headers=alice).status_code == 201


def test_the_root_redirects_and_a_service_answers_every_other_path(stack: Stack) -> None:
    assert httpx.get(f"{stack.shop}/", headers={"Accept": "text/html"}).headers["Location"] == "/shop"
    assert status(stack.shop, "/nothing") == (404, True)
    assert [status(stack.shop, path) for path in ("/shop", "/account", "/account/sign-in")] == [
        (200, True),
        (303, True),
        (200, True),
    ]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz", "/ended-sessions", "/openapi/"])
def test_operator_paths_are_404_before_they_reach_a_service(stack: Stack, path: str) -> None:
    spellings = [path, f"/{path}", path.replace("e", "%65"), path.title(), f"/shop/..{path}", f"/%2e%2e{path}"]

    assert [status(stack.shop, each) for each in spellings] == [(404, False)] * len(spellings)
    assert status(stack.user, path)[1]


def test_browsers_get_a_page_while_user_service_is_stopped(stack: Stack) -> None:
    stack.compose("stop", "user-service")

    page = httpx.get(f"{stack.shop}/account", headers=BROWSER, timeout=20)
    assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert (page.headers["Retry-After"], page.headers["Cache-Control"]) == ("5", "no-store")
    assert PAGE in page.text
    for accepted in ("*/*", "application/json"):
        answer = httpx.get(f"{stack.shop}/profile", headers={"Accept": accepted}, timeout=20)
        assert (answer.status_code, PAGE in answer.text) == (503, False)
    assert httpx.get(f"{stack.shop}/products").status_code == 200

    stack.compose("start", "user-service")
    eventually(lambda: status(stack.shop, "/account")[1], "user-service answers again")


def test_the_proxy_names_the_shop_first_when_it_opens(stack: Stack) -> None:
    (line,) = (line for line in stack.compose("logs", "--no-log-prefix", "proxy").splitlines() if "is open" in line)

    assert line.startswith(f"The shop is open: {stack.shop},")
