"""The real HAProxy leads one host, port 8080 of compose/haproxy.cfg, to the pages and JSON routes of both services."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

import order_service
import user_service
from chaos.proxy import CONFIGURATION, Proxy, program
from chaos.wire import Line, Response
from order_service.settings import Settings as OrderSettings
from user_service.settings import Settings as UserSettings

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(program() is None, reason="HAProxy is not installed: apt-get install haproxy"),
]

HELM = Path(__file__).resolve().parents[2] / "helm"
NOWHERE = "postgresql://127.0.0.1:1/nowhere"
USER, ORDER = "user-service", "order-service"
PATHS = {
    "/account": USER,
    "/account/sign-in?next=%2Fshop": USER,
    "/%61ccount": USER,
    "/register": USER,
    "/login": USER,
    "/logout": USER,
    "/token/refresh": USER,
    "/sessions/s-1": USER,
    "/profile/export": USER,
    "/email/verification/confirm": USER,
    "/password/forgotten": USER,
    "/second-factor": USER,
    "/staff/audit": USER,
    "/.well-known/jwks.json": USER,
    "http://shop.example.com/account": USER,
    "/": ORDER,
    "/shop": ORDER,
    "/shop/account": ORDER,
    "/products?q=%zz": ORDER,
    "/orders/o-1/cancel": ORDER,
    "/create_order": ORDER,
    "/admin/audit": ORDER,
    "/backoffice": ORDER,
    "/accounts": ORDER,
    "/ACCOUNT": ORDER,
    "/-well-known/jwks.json": ORDER,
    "/%2561ccount": ORDER,
}
OPERATORS = ("/healthz", "/readyz", "/metrics", "/openapi", "/ended-sessions")
SPELLINGS = (
    "{}", "{}/", "{}?x=1", "{}%00", "{};x", "/{}", "//{}", "/.{}", "/shop/..{}", "/shop/%2e%2e{}", "/shop/{}",
    "/shop%2f%2e%2e{}", "/%2F{}", "/\\{}", "/%5C{}", "http://shop.example.com{}", "http://shop.example.com/{}",
)  # fmt: skip
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
API_CLIENTS: list[dict[str, str]] = [{}, {"Accept": "*/*"}, {"Accept": "application/json"}]


class Handler(BaseHTTPRequestHandler):
    """Answer with the service's name and what arrived; some paths fail as a service may."""

    def do_GET(self) -> None:
        if self.path in {"/shop/closed", "/shop/slow"}:
            time.sleep(1.5 if self.path == "/shop/slow" else 0)
            return  # and close without an answer
        received = {
            "service": self.server.name,  # type: ignore[attr-defined]
            "path": self.path,
            "headers": {name.title(): value for name, value in self.headers.items()},
        }
        self.send_response(503 if self.path == "/shop/busy" else 200)
        self.send_header("Content-Type", "application/json")
        with suppress(ConnectionError):  # a health check leaves when it has read the status
            self.end_headers()
            self.wfile.write(json.dumps(received).encode())

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@contextmanager
def running(name: str) -> Iterator[ThreadingHTTPServer]:
    """Run a server in place of a service."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.name = name  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with (
        running(USER) as user,
        running(ORDER) as order,
        Proxy(tmp_path_factory.mktemp("proxy"), user=user.server_port, order=order.server_port) as proxy,
    ):
        yield proxy


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Run the proxy, and stop user-service behind it."""
    folder = tmp_path_factory.mktemp("broken")
    with running(ORDER) as order, ExitStack() as stack:
        with running(USER) as user:
            proxy = Proxy(folder, user=user.server_port, order=order.server_port, server_seconds=1)
            stack.enter_context(proxy)
        yield proxy


def ask(port: int, path: str, headers: dict[str, str] | None = None) -> Response:
    line = Line([port])
    try:
        return line.ask("GET", path, headers=headers)
    finally:
        line.close()


@pytest.mark.parametrize(("path", "service"), PATHS.items())
def test_path_leads_to_its_service(proxy: Proxy, path: str, service: str) -> None:
    assert ask(proxy.shop_port, path).json["service"] == service


@pytest.mark.parametrize("service", [USER, ORDER])
def test_every_route_leads_to_its_service_or_is_hidden(proxy: Proxy, service: str) -> None:
    create, settings = {
        USER: (user_service.create_app, UserSettings),
        ORDER: (order_service.create_app, OrderSettings),
    }[service]
    rules = {rule.rule for rule in create(settings(database_url=NOWHERE)).url_map.iter_rules()}  # type: ignore[operator]
    shared = {"/", "/static/<path:filename>"}  # the root is order-service's, and Flask's own folder is empty

    answers = {rule: ask(proxy.shop_port, re.sub(r"<[\w:]+>", "x", rule)) for rule in rules - shared}

    hidden = {rule for rule in answers if rule.startswith(OPERATORS)}
    assert {rule for rule, answer in answers.items() if answer.status == 404} == hidden
    assert {answers[rule].json["service"] for rule in answers.keys() - hidden} == {service}


@pytest.mark.parametrize("service", [USER, ORDER])
def test_paths_of_the_charts_lead_to_the_same_service(proxy: Proxy, service: str) -> None:
    exposed = yaml.safe_load((HELM / service / "values.yaml").read_text())["expose"]
    below = [f"{path}/below" for path in exposed["paths"]]

    for path in [*exposed["paths"], *below, *exposed.get("exactPaths", ())]:
        assert ask(proxy.shop_port, path).json["service"] == service, path


@pytest.mark.parametrize("path", OPERATORS)
def test_operator_paths_are_404_in_every_spelling(proxy: Proxy, path: str) -> None:
    encoded = f"/%{ord(path[1]):02X}{path[2:]}"
    spellings = [form.format(each) for form in SPELLINGS for each in (path, encoded, path.upper(), path.title())]

    assert {each: ask(proxy.shop_port, each).status for each in spellings} == dict.fromkeys(spellings, 404)
    assert ask(proxy.user_port, path).status == ask(proxy.order_port, path).status == 200


@pytest.mark.parametrize("path", ["/%zz", "/metrics%", "/shop/%2", "*", "http://shop.example.com"])
def test_unreadable_path_is_refused_with_400(proxy: Proxy, path: str) -> None:
    assert ask(proxy.shop_port, path).status == 400


def test_headers_of_more_than_16_kib_are_refused_with_400(proxy: Proxy) -> None:
    assert ask(proxy.shop_port, "/shop", {"X-Large": "x" * 15_000}).status == 200
    assert ask(proxy.shop_port, "/shop", {"X-Large": "x" * 17_000}).status == 400


def test_service_gets_the_original_host_path_and_client_address(proxy: Proxy) -> None:
    received = ask(proxy.shop_port, "/%61ccount?next=%2Fshop", {"Host": "shop.example.com:8443"}).json

    assert received["path"] == "/%61ccount?next=%2Fshop"
    assert received["headers"]["Host"] == "shop.example.com:8443"
    assert received["headers"]["X-Forwarded-For"] == "127.0.0.1"


FAILURES = {"/account": 503, "/shop/closed": 502, "/shop/slow": 504}


@pytest.mark.parametrize(("path", "status"), FAILURES.items())
def test_browser_gets_a_page_while_a_service_is_away(broken: Proxy, path: str, status: int) -> None:
    answer = ask(broken.shop_port, path, BROWSER)

    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("5", "no-store")
    page = answer.body.decode()
    assert "<h1>The shop will be back in a moment</h1>" in page
    assert '<a href="">Try again</a>' in page
    assert '<meta name="color-scheme" content="light dark">' in page
    assert re.findall("<script|<style|<link|<img|//", page) == []


@pytest.mark.parametrize(
    ("path", "status", "headers"),
    [
        *(("/account", 503, headers) for headers in API_CLIENTS),
        *((path, status, API_CLIENTS[-1]) for path, status in FAILURES.items()),
    ],
)
def test_other_clients_get_one_line(broken: Proxy, path: str, status: int, headers: dict[str, str]) -> None:
    answer = ask(broken.shop_port, path, headers)

    assert (answer.status, answer.headers["Retry-After"]) == (status, "5")
    assert re.fullmatch(rf"<h1>{status} [\w -]+</h1>", answer.body.decode())


def test_the_other_service_goes_on_while_one_is_away(broken: Proxy) -> None:
    assert ask(broken.shop_port, "/shop", BROWSER).json["service"] == ORDER


def test_a_503_of_a_service_reaches_the_browser_unchanged(broken: Proxy) -> None:
    answer = ask(broken.shop_port, "/shop/busy", BROWSER)

    assert (answer.status, answer.json["service"]) == (503, ORDER)
    assert "Retry-After" not in answer.headers


def test_frontends_share_all_connections() -> None:
    allowed, *shares = map(int, re.findall(r"^    maxconn (\d+)$", CONFIGURATION.read_text(), re.MULTILINE))

    assert (sum(shares), len(shares)) == (allowed, 3)
