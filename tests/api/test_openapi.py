"""Schemathesis sends requests that the OpenAPI documents allow and forbid to both services.

Checked: no 5xx, only documented statuses and content types, responses of the documented shape, forbidden requests
refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import service_apps
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from chassis.rate_limit.limiter import RateLimiter
from chassis.testing.http import bearer
from order_service.catalog.import_file import Product

DOCUMENTS = Path(__file__).parents[2] / "docs" / "api"
THOROUGH = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def can_be_refused(operation: dict[str, Any]) -> bool:
    """Return whether the document forbids any request; If-None-Match may be any text."""
    parameters = [parameter for parameter in operation.get("parameters", ()) if parameter["name"] != "If-None-Match"]
    return any((parameters, operation.get("requestBody"), operation["security"]))


def cases(service: str) -> list[Any]:
    """Return each operation with allowed data, and with forbidden data where the document forbids any."""
    document = json.loads((DOCUMENTS / f"{service}.openapi.json").read_text())
    return [
        pytest.param((path, method), mode, id=f"{method} {path} {mode.value}")
        for path, item in document["paths"].items()
        for method, operation in item.items()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or can_be_refused(operation)
    ]


def attack(app: Flask, operation: tuple[str, str], mode: GenerationMode, caller: Callable[[], dict[str, str]]) -> None:
    path, method = operation
    schema = schemathesis.openapi.from_wsgi("/openapi/openapi.json", app)

    @THOROUGH
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        # Rules that a schema cannot describe: existing products, issued cursors, common passwords.
        excluded = [positive_data_acceptance]
        if "" in (case.query or {}).values() or path == "/register":
            # An empty parameter counts as absent; a username is normalised before its length is checked.
            excluded.append(negative_data_rejection)
        case.call_and_validate(headers=caller(), excluded_checks=excluded)

    run()


@pytest.fixture(scope="module")
def order_app() -> Iterator[Flask]:
    products = [Product(f"p{n}", f"Product {n}", "", "Things", 100, "EUR", 10**6) for n in range(5)]
    with service_apps.order_app("order_openapi", products) as app:
        yield app


@pytest.fixture(scope="module")
def user_app() -> Iterator[Flask]:
    with service_apps.user_app("user_openapi") as app:
        yield app


def signed_up(app: Flask) -> dict[str, str]:
    """Return a new session of a new account, so that cases do not affect each other."""
    app.services.rate_limiter = RateLimiter("memory://", per_address=600)
    client = app.test_client()
    account = {"username": "schema-tester", "password": "correct horse battery"}
    client.post("/register", json=account)
    answer = client.post("/login", json=account)
    return {"Authorization": f"Bearer {answer.json['token']}"} if answer.json and "token" in answer.json else {}


@pytest.mark.parametrize(("operation", "mode"), cases("order-service"))
def test_order_service_keeps_to_its_document(
    order_app: Flask, operation: tuple[str, str], mode: GenerationMode
) -> None:
    attack(order_app, operation, mode, lambda: bearer("u-schema"))


@pytest.mark.parametrize(("operation", "mode"), cases("user-service"))
def test_user_service_keeps_to_its_document(user_app: Flask, operation: tuple[str, str], mode: GenerationMode) -> None:
    attack(user_app, operation, mode, lambda: signed_up(user_app))
