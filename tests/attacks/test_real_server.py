"""Malformed and oversized HTTP, sent to the real server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from chassis.testing.postgres import fresh_database
from localshop.service import Service
from localshop.shop import Shop
from localshop.testing import free_ports

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Run both services on databases of the test server."""
    user_port, order_port = free_ports()
    with (
        fresh_database("raw_users") as users,
        fresh_database("raw_orders") as orders,
        Shop(
            tmp_path_factory.mktemp("raw") / "data",
            user_port=user_port,
            order_port=order_port,
            databases=(users, orders),
        ) as shop,
    ):
        yield shop


@pytest.fixture(params=["user-service", "order-service"])
def service(request: pytest.FixtureRequest, shop: Shop) -> Service:
    return {service.name: service for service in shop.services}[request.param]


def exchange(service: Service, sent: bytes) -> bytes:
    """Return the response until the server closes or stays silent; b"" when it only closes."""
    heard = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        try:
            connection.sendall(sent)
            connection.settimeout(1)
            while chunk := connection.recv(65_536):
                heard += chunk
        except OSError:
            pass  # closed, or no more data
    return heard


def status(answer: bytes) -> int | None:
    return int(answer.split(b" ", 2)[1]) if answer else None


def get(path: bytes, *headers: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"GET " + path + b" " + version, b"Host: shop", b"Connection: close", *headers, b"", b""])


TOO_MUCH = {
    "one header of a megabyte": get(b"/healthz", b"X-Long: " + b"x" * 1_000_000),
    "a cookie of a megabyte": get(b"/healthz", b"Cookie: " + b"a=b; " * 200_000),
    "ten thousand headers": get(b"/healthz", *(b"X-%d: y" % number for number in range(10_000))),
    "a header without end": get(b"/healthz")[:-2] + b"X: " + b"y" * 1_000_000,
    "an URL of 100,000 characters": get(b"/" + b"x" * 100_000),
    "a query of 100,000 characters": get(b"/products?q=" + b"x" * 100_000),
    "a method of 100,000 characters": b"X" * 100_000 + get(b"/healthz"),
}
MALFORMED = {
    "a line feed inside a header": get(b"/healthz", b"X-Request-ID: a\nb"),
    "a carriage return inside a header": get(b"/healthz", b"X-Request-ID: a\rb"),
    "NUL inside a header": get(b"/healthz", b"X-Request-ID: a\x00b"),
    "a folded header": get(b"/healthz", b"X-Request-ID: a", b" b"),
    "a space before the colon": get(b"/healthz", b"Content-Length : 5"),
    "two lengths": get(b"/healthz", b"Content-Length: 5", b"Content-Length: 6"),
    "a length that is none": get(b"/healthz", b"Content-Length: -1"),
    "a length with a plus": get(b"/healthz", b"Content-Length: +5"),
    "an unknown version": get(b"/healthz", version=b"HTTP/9.9"),
    "a line feed in the path": get(b"/health\nz"),
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_oversized_input_is_refused_and_the_server_keeps_serving(service: Service, what: str) -> None:
    answer = exchange(service, TOO_MUCH[what])
    assert status(answer) in {None, 400, 404, 405, 413, 414, 431}
    assert httpx.get(f"{service.url}/healthz").status_code == 200
    assert service.running


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_http_is_refused_and_the_server_keeps_serving(service: Service, what: str) -> None:
    answer = exchange(service, MALFORMED[what])
    assert status(answer) in {None, 400, 505}
    assert httpx.get(f"{service.url}/healthz").status_code == 200


def test_smuggled_request_is_not_answered(service: Service) -> None:
    """Content-Length and Transfer-Encoding contradict each other: a proxy may read the other one."""
    hidden = get(b"/metrics")
    length = b"Content-Length: %d" % (5 + len(hidden))
    head = b"\r\n".join([b"POST /healthz HTTP/1.1", b"Host: shop", length, b"Transfer-Encoding: chunked", b"", b""])
    answer = exchange(service, head + b"0\r\n\r\n" + hidden)
    assert b"http_request_duration_seconds" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1


@pytest.mark.parametrize(
    "path", [b"/%0d%0aSet-Cookie:%20admin=1", b"/%00", b"/%ff%fe", b"/\xff\xfe", b"/%u0000", b"/products/%E2%80%A8x"]
)
def test_unusual_path_gets_400_or_404_and_sets_no_cookie(service: Service, path: bytes) -> None:
    answer = exchange(service, get(path))
    assert status(answer) in {None, 400, 404}
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nset-cookie" not in head


@pytest.mark.parametrize("target", [b"//evil.example/openapi", b"//evil.example/..", b"http://evil.example/openapi"])
def test_no_response_redirects_to_another_host(service: Service, target: bytes) -> None:
    answer = exchange(service, get(target, b"X-Forwarded-Host: evil.example"))
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"location: http" not in head
    assert b"location: //" not in head


@pytest.mark.parametrize("target", [b"//metrics", b"///metrics", b"/%2Fmetrics", b"/./metrics", b"/x/../metrics"])
def test_path_with_extra_slashes_or_dots_is_not_found(service: Service, target: bytes) -> None:
    assert status(exchange(service, get(target))) == 404
    assert status(exchange(service, get(b"/metrics"))) == 200


def test_log_has_only_json_lines_and_no_crash_after_the_attacks(shop: Shop) -> None:
    for service in shop.services:
        exchange(service, get(b'/%0a{"event":"forged"}', b'User-Agent: \x85{"event":"forged"}', b"X-Request-ID: {}"))
        lines = [orjson.loads(line) for line in Path(service.log).read_bytes().split(b"\n") if line.startswith(b"{")]
        events = {line["event"] for line in lines}
        assert "request" in events
        assert not events & {"forged", "unhandled_error"}
        assert [line for line in lines if line.get("status", 0) >= 500 and line["path"] != "/readyz"] == []
