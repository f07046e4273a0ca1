"""URLs of pages lead to the right service, and `next` never leaves the shop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chassis.http.openapi import Api
from chassis.pages.urls import is_account, page_url, safe_next, with_next


@pytest.mark.parametrize(
    "path",
    ["/", "/shop", "/shop?q=a%20b", "/shop/products/p1?a=//b", "/account/devices", "/a:b@c", "/shop?next=http://x"],
)
def test_own_path_is_followed(path: str) -> None:
    assert safe_next(path, "/account") == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "shop",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http://evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        " /shop",
        "\t//evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/shop\r\nSet-Cookie: a=b",
        "/\x00/evil.example",
        "/sh\u00f6p",
        "\uff0f/evil.example",
        "/\u2028/evil.example",
    ],
)
def test_any_other_path_is_replaced_by_the_default(path: str | None) -> None:
    assert safe_next(path, "/account") == "/account"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/account", True),
        ("/account/", True),
        ("/account?done=saved", True),
        ("/account#top", True),
        ("/account/sign-in?next=/shop", True),
        ("/accounts", False),
        ("/account.html", False),
        ("/shop/account", False),
        ("/shop?next=/account", False),
        ("/", False),
    ],
)
def test_user_service_has_the_pages_below_account(path: str, expected: bool) -> None:
    assert is_account(path) is expected


@pytest.fixture
def url(start: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return the URL of a page, as a service names it to a browser that asked for `host`."""

    def url(path: str, service: str = "order-service", host: str = "127.0.0.1:5002", **settings: object) -> str:
        app = start(**settings)
        monkeypatch.setattr(type(app.services.settings), "service", service)
        with app.test_request_context("/", headers={"Host": host}):
            return page_url(path)

    return url


@pytest.mark.parametrize("service", ["user-service", "order-service"])
@pytest.mark.parametrize("path", ["/shop", "/account"])
def test_services_on_one_host_need_no_origin(url: Callable[..., str], service: str, path: str) -> None:
    assert url(path, service) == path


def test_with_make_up_only_the_other_services_pages_get_its_port(url: Callable[..., str]) -> None:
    assert url("/shop", "order-service", sibling_port=5001) == "/shop"
    assert url("/account", "user-service", sibling_port=5002) == "/account"
    assert url("/account?a=1", "order-service", sibling_port=5001) == "http://127.0.0.1:5001/account?a=1"
    assert url("/shop", "user-service", sibling_port=5002) == "http://127.0.0.1:5002/shop"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", "http://localhost:5001"),
        ("192.168.1.7:5002", "http://192.168.1.7:5001"),
        ("[::1]:5002", "http://[::1]:5001"),
        ("[::1]", "http://[::1]:5001"),
        ("[:::::]:1", "http://[:::::]:5001"),
        ("[", "http://localhost:5001"),
        ("evil.example/path", "http://localhost:5001"),
    ],
)
def test_the_other_port_is_on_the_host_that_was_asked(url: Callable[..., str], host: str, origin: str) -> None:
    assert url("/account", host=host, sibling_port=5001) == f"{origin}/account"


def test_the_following_page_is_encoded_whole(start: Callable[..., Api]) -> None:
    with start().test_request_context("/"):
        assert with_next("/account/sign-in", "/shop?q=a&b=1") == "/account/sign-in?next=%2Fshop%3Fq%3Da%26b%3D1"
