"""Every JSON route declares its guard; test_pages.py has the same for pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from service_apps import MAKERS

from chassis.auth.roles import STAFF, UNPROVEN_STAFF
from chassis.pages.blueprint import Pages
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer

# Every line here allows the whole internet to call the route.
PUBLIC = {
    "user-service": {
        "POST /register",
        "POST /login",
        "POST /token/refresh",
        "POST /email/verification/confirm",
        "POST /password/forgotten",
        "POST /password/reset",
        "GET /.well-known/jwks.json",
    },
    "order-service": {
        "GET /products",
        "GET /products/<product_id>",
        "GET /categories",
        "POST /orders/quote",
        "POST /payments/<provider>/events",
    },
}
# Only staff may call these.
STAFF_ONLY = {
    "user-service": {
        "GET /staff/audit",
        "GET /staff/customers",
        "GET /staff/customers/<customer_id>",
        "POST /staff/customers/<customer_id>/disable",
        "POST /staff/customers/<customer_id>/enable",
        "POST /staff/customers/<customer_id>/reset-mail",
        "DELETE /staff/customers/<customer_id>/second-factor",
        "GET /staff/customers/<customer_id>/sessions",
        "DELETE /staff/customers/<customer_id>/sessions",
        "DELETE /staff/customers/<customer_id>/sessions/<session_id>",
    },
    "order-service": {
        "GET /admin/audit",
        "GET /admin/webhooks",
        "POST /admin/webhooks",
        "PATCH /admin/webhooks/<webhook_id>",
        "DELETE /admin/webhooks/<webhook_id>",
        "POST /admin/webhooks/<webhook_id>/secret",
        "GET /admin/webhooks/<webhook_id>/deliveries",
        "POST /admin/webhooks/<webhook_id>/deliveries/<event_id>/replay",
        "GET /events",
        "GET /admin/products",
        "POST /admin/products",
        "GET /admin/products/<product_id>",
        "PATCH /admin/products/<product_id>",
        "POST /admin/products/<product_id>/stock",
        "GET /admin/products/<product_id>/stock-movements",
        "POST /admin/products/import",
        "GET /admin/products/export",
        "GET /admin/shipping-methods",
        "PUT /admin/shipping-methods/<method_id>",
        "DELETE /admin/shipping-methods/<method_id>",
        "GET /admin/shipping-methods/export",
        "POST /admin/shipping-methods/import",
        "GET /admin/tax-rates",
        "PUT /admin/tax-rates/<country>/<tax_class>",
        "DELETE /admin/tax-rates/<country>/<tax_class>",
        "GET /admin/tax-rates/export",
        "POST /admin/tax-rates/import",
        "GET /admin/orders",
        "GET /admin/orders/export",
        "GET /admin/orders/<order_id>",
        "PATCH /admin/orders/<order_id>",
        "POST /admin/orders/<order_id>/ship",
        "PUT /admin/orders/<order_id>/tracking",
        "POST /admin/orders/<order_id>/deliver",
        "POST /admin/orders/<order_id>/cancel",
        "POST /admin/orders/<order_id>/refunds",
        "POST /admin/orders/<order_id>/refunds/<refund_id>/retry",
    },
}
# These also serve the other services, with the service credential.
STAFF_OR_SERVICES = {"GET /events"}
STAFF_PATHS = {"user-service": "/staff/", "order-service": "/admin/"}
OPERATIONS = {"GET /", "GET /healthz", "GET /readyz", "GET /metrics"}
DOCUMENTATION = ("/openapi", "/static")
CREDENTIALS = {
    "bearer": bearer("u-alice", "alice", "s-alice", roles=(STAFF,)),
    "service": {"Authorization": f"Bearer {LOCAL_SECRET}"},
}


def routes(app: Flask, *, pages: bool = False) -> Iterator[tuple[str, str]]:
    """Yield method and path of all routes, without those of pages unless asked for."""
    for rule in app.url_map.iter_rules():
        is_page = isinstance(app.blueprints.get(rule.endpoint.rpartition(".")[0]), Pages)
        if not rule.rule.startswith(DOCUMENTATION) and (pages or not is_page):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield method, rule.rule


@pytest.mark.parametrize("service", MAKERS)
def test_only_the_listed_routes_are_public(service: str) -> None:
    app = MAKERS[service]()
    entered = set()
    for method, rule in routes(app):
        answer = app.test_client().open(rule.replace("<", "").replace(">", ""), method=method)
        if answer.status_code != 401:
            entered.add(f"{method} {rule}")
    known = PUBLIC[service] | OPERATIONS
    assert entered <= known, f"anybody may call {sorted(entered - known)}: make it signed_in(), or list it here"
    assert entered >= known, f"not open any more, remove them from the lists here: {sorted(known - entered)}"


def refusals(service: str, roles: tuple[str, ...]) -> dict[str, str]:
    """Call every route as a user with these roles; return the code of each refusal with 403."""
    app, found = MAKERS[service](), {}
    app.services.has_ended = lambda _: False
    headers = bearer("u-alice", "alice", "s-alice", roles=roles)
    for method, rule in routes(app):
        answer = app.test_client().open(rule.replace("<", "").replace(">", ""), method=method, headers=headers)
        if answer.status_code == 403:
            found[f"{method} {rule}"] = answer.json["code"]  # type: ignore[index]
    return found


@pytest.mark.parametrize("service", MAKERS)
def test_the_listed_routes_alone_refuse_customers(service: str) -> None:
    found = refusals(service, ())
    assert found.keys() == STAFF_ONLY[service], (
        "list the routes of staff() blueprints in STAFF_ONLY here, and no others"
    )
    assert set(found.values()) == {"staff_only"}


@pytest.mark.parametrize("service", MAKERS)
def test_routes_of_staff_refuse_a_session_without_second_factor(service: str) -> None:
    found = refusals(service, (UNPROVEN_STAFF,))
    assert found == dict.fromkeys(STAFF_ONLY[service], "second_factor_needed")


@pytest.mark.parametrize("service", MAKERS)
def test_routes_of_staff_let_staff_in(service: str) -> None:
    assert refusals(service, (STAFF,)) == {}


@pytest.mark.parametrize("service", MAKERS)
def test_a_route_is_for_staff_if_its_path_says_so(service: str) -> None:
    prefix = STAFF_PATHS[service]
    found = {f"{method} {rule}" for method, rule in routes(MAKERS[service]()) if rule.startswith(prefix)}
    assert found == STAFF_ONLY[service] - STAFF_OR_SERVICES


@pytest.mark.parametrize("service", MAKERS)
def test_every_route_tells_its_methods_without_a_token(service: str) -> None:
    app = MAKERS[service]()
    for method, rule in routes(app):
        answer = app.test_client().options(rule.replace("<", "").replace(">", ""))
        assert (answer.status_code, answer.data) == (200, b""), rule
        assert {method, "OPTIONS"} <= set(answer.headers["Allow"].split(", ")), rule


@pytest.mark.parametrize("service", MAKERS)
@pytest.mark.parametrize("prefix", ["/", "//"])
def test_no_route_is_served_past_its_path_by_more_slashes(service: str, prefix: str) -> None:
    app = MAKERS[service]()
    for method, rule in [*routes(app, pages=True), ("GET", "/openapi/"), ("OPTIONS", "/metrics")]:
        path = prefix + rule.replace("<", "").replace(">", "")
        answer = app.test_client().open("/", method=method, environ_overrides={"PATH_INFO": path})
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json"), path


@pytest.mark.parametrize("service", MAKERS)
@pytest.mark.parametrize("number", ["1_0", "1.0", "+1", " 1", "1 ", "\u0661"])
def test_integers_of_every_query_are_read_in_decimal_digits_alone(service: str, number: str) -> None:
    app = MAKERS[service]()
    app.services.has_ended = lambda _: False
    parameters = [
        (path, parameter["name"], operation.get("security"))
        for path, item in app.api_doc["paths"].items()  # type: ignore[attr-defined]
        for operation in item.values()
        for parameter in operation.get("parameters", ())
        if parameter["schema"].get("type") == "integer"
    ]
    assert parameters
    for path, name, security in parameters:
        headers = CREDENTIALS[next(iter(security[0]))] if security else {}
        answer = app.test_client().get(path, query_string={name: number}, headers=headers)
        assert (answer.status_code, answer.json["errors"][0]["member"]) == (400, name), path  # type: ignore[index]


@pytest.mark.parametrize("service", MAKERS)
def test_every_signed_in_route_is_documented_as_such(service: str) -> None:
    app = MAKERS[service]()
    documented = {
        f"{method.upper()} {path.replace('{', '<').replace('}', '>')}": bool(operation.get("security"))
        for path, item in app.api_doc["paths"].items()  # type: ignore[attr-defined]
        for method, operation in item.items()
    }
    served = {f"{method} {rule}" for method, rule in routes(app)} - OPERATIONS
    expected = {route: route not in PUBLIC[service] for route in served}
    wrong = sorted(route for route, _ in documented.items() ^ expected.items())
    assert not wrong, f"documented with another guard than PUBLIC here says: {wrong}"


@pytest.mark.parametrize("service", MAKERS)
def test_every_json_endpoint_is_served_by_the_dispatcher_alone(service: str) -> None:
    app = MAKERS[service]()
    json_routes = [(method, rule) for method, rule in routes(app) if f"{method} {rule}" not in OPERATIONS]
    assert len(json_routes) == len(set(json_routes))
    for method, rule in json_routes:
        path = rule.replace("<", "").replace(">", "")
        with app.test_request_context(path, method=method), pytest.raises(AssertionError, match="past its dispatcher"):
            app.dispatch_request()
