"""Hypothesis sends odd forms, cookies, paths and queries to every page, with and without a session: no 5xx."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import service_apps
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.auth.roles import STAFF
from chassis.pages.blueprint import Pages
from chassis.rate_limit.limiter import RateLimiter
from chassis.testing.http import bearer
from order_service.catalog.import_file import Product

THOROUGH = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
ACCOUNT = {"username": "page-tester", "password": "correct horse battery"}
FORM = "application/x-www-form-urlencoded"

ODD = [
    "", " ", "\x00", "a\x00b", "\u202e", "\ud7ff\U0010ffff", "e\u0301" * 300, "x" * 5000, "9" * 5000, "-1", "0", "1",
    "1e9", "\u0661", "p1", "p2", "add", "set", "remove", "tidy", "saved", "other", "DE", "XX", "name", "-price",
    "'; DROP TABLE x", "{{ 7 * 7 }}", "%s%n", "<script>", "//evil.example", "/\\evil.example", "/shop", "/account\n",
    "[1]", '["a"]', "WyJhIl0", "o-" + "0" * 32, *ACCOUNT.values(), "a@b.example", "+49 221 123456", "2000",
    "p1:1:1000|p2:2:1000", "p1:999:1", "true", "EUR", "9.99", "+5", "Size=M", "2026-11-27", "9999-12-31", "import",
    "eJwrTi1KTsxJBQAMhQLi", "deactivate", "disable",
]  # fmt: skip
NAMES = [
    "product_id", "qty", "do", "to", "key", "total", "q", "category", "sort", "after", "limit", "added", "done", "next",
    "v", "recipient", "street", "line2", "city", "region", "postal_code", "country", "username", "password", "name",
    "email", "phone", "current_password", "new_password", "session_id", "active", "in_stock", "group", "like", "id",
    "description", "price", "currency", "stock", "images", "tax_class", "options", "version", "units", "reason",
    "packed", "seen", "decimal", "encoding", "source", "deactivate_missing", "action", "subject", "since", "until",
]  # fmt: skip
COOKIES = [f"{prefix}{name}" for prefix in ("shop-", "__Host-") for name in ("token", "basket", "refresh", "device")]

texts = st.one_of(st.sampled_from(ODD), st.text(max_size=40))
fields = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), texts), max_size=12)
latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=60)
cookies = st.one_of(
    latin,
    st.lists(st.tuples(st.sampled_from(COOKIES), latin), max_size=4).map(
        lambda pairs: "; ".join(f"{name}={value}" for name, value in pairs)
    ),
    st.sampled_from(["shop-basket=p1:1:1000|p2:2:1000", "shop-basket=p1:999:1|gone:1:1", "shop-token=x"]),
)


class Sent(NamedTuple):
    """What a client sends to a page; the bytes of header and query are those of Latin-1."""

    cookie: str
    query: str
    body: bytes
    kind: str
    signed_in: bool


sent = st.builds(
    Sent,
    cookie=cookies,
    query=st.one_of(fields.map(urlencode), latin, st.just("q=\xff&next=\x80")),
    body=st.one_of(fields.map(urlencode).map(str.encode), st.binary(max_size=200)),
    kind=st.sampled_from([FORM] * 4 + ["multipart/form-data; boundary=b", "application/json", "text/plain", ""]),
    signed_in=st.booleans(),
)


def pages() -> Iterator[Any]:
    for service, make in service_apps.MAKERS.items():
        app = make()
        for rule in app.url_map.iter_rules():
            if isinstance(app.blueprints.get(rule.endpoint.rpartition(".")[0]), Pages):
                for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                    yield pytest.param(service, method, rule, id=f"{method} {rule.rule}")


@pytest.fixture(scope="module")
def apps() -> Iterator[dict[str, Flask]]:
    products = [Product(f"p{n}", f"Product {n}", "", "Things", 1000, "EUR", 10**6) for n in range(5)]
    with service_apps.user_app("user_pages") as user, service_apps.order_app("order_pages", products) as order:
        yield {"user-service": user, "order-service": order}


def token_of_order_service(_app: Flask, roles: tuple[str, ...]) -> str:
    return bearer("u-pages", roles=roles)["Authorization"].removeprefix("Bearer ")


def token_of_user_service(app: Flask, roles: tuple[str, ...]) -> str:
    """Return the token of a new session: pages end sessions and delete accounts."""
    app.services.rate_limiter = RateLimiter("memory://", per_address=600)
    client = app.test_client()
    client.post("/register", json=ACCOUNT)
    with app.services.database.transaction() as connection:
        connection.execute("UPDATE users SET roles = %(roles)s WHERE deleted_at IS NULL", {"roles": [*roles]})
    answer = client.post("/login", json=ACCOUNT)
    return answer.json["token"] if answer.json and "token" in answer.json else ""


TOKENS: dict[str, Callable[[Flask, tuple[str, ...]], str]] = {
    "user-service": token_of_user_service,
    "order-service": token_of_order_service,
}


@pytest.mark.parametrize(("service", "method", "rule"), list(pages()))
def test_no_input_to_a_page_is_answered_5xx(apps: dict[str, Flask], service: str, method: str, rule: Any) -> None:
    app = apps[service]
    client, statuses = app.test_client(use_cookies=False), set()
    roles = (STAFF,) if app.blueprints[rule.endpoint.rpartition(".")[0]].needs_staff else ()

    @THOROUGH
    @given(sent, st.data())
    def run(sent: Sent, data: st.DataObject) -> None:
        path = rule.rule
        for name in rule.arguments:
            path = path.replace(f"<{name}>", data.draw(texts).replace("/", "") or "x")
        token = f"shop-token={TOKENS[service](app, roles)}; " if sent.signed_in else ""
        answer = client.open(
            "/",
            method=method,
            data=sent.body if method == "POST" else None,
            content_type=sent.kind,
            headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
            environ_overrides={
                "PATH_INFO": path.encode().decode("latin-1"),
                "QUERY_STRING": sent.query,
                "HTTP_COOKIE": token + sent.cookie,
            },
        )
        statuses.add(answer.status_code)
        assert answer.status_code < 500

    run()
    assert statuses
