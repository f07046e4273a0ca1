"""The OpenAPI documents describe every status, problem code and header of the golden answers, and no others."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema_rs import Draft202012Validator

from .test_golden import ANSWERS, GROUPS, _load, _whole

DOCUMENTS = Path(__file__).parents[2] / "docs" / "api"
PROBLEM = "application/problem+json"
NOT_DESCRIBED = re.compile(r"(access-control-|allow|cache-control|content-|vary|x-content|server|referrer-)")
# Only concurrent requests get these, and only one of them has the header.
OF_RACES = {"busy", "request_in_flight", ("409", "retry-after")}

# A request alone does not cause these: they need a payment, thousands of orders or an erased customer. They are
# tested in services/order-service/tests/api: test_payments.py, test_payment_pages.py, test_checkout.py,
# test_refunds.py, test_staff_orders.py and test_order_export.py.
OF_OTHER_STATES = {
    *("invalid_signature", "payment_unavailable", "too_many_unpaid"),
    *("nothing_to_refund", "refund_too_large", "shipping_refunded", "too_many_units"),
    *("customer_erased", "export_too_large", "refund_not_retriable"),
}


class Described(NamedTuple):
    """A golden answer of a documented operation, and `response`, what the document says of its status."""

    request: str
    status: int
    headers: set[str]
    body: Any
    response: dict[str, Any] | None


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Return the operation that serves a path; nothing where no JSON route does."""
    item = document["paths"].get(path) or next(
        (
            item
            for template, item in document["paths"].items()
            if re.fullmatch(re.sub(r"{\w+}", "[^/%]+", template), path) and template not in path
        ),
        {},
    )
    found: dict[str, Any] = item.get(method.lower(), {})
    return found


def load(service: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DOCUMENTS / f"{service}.openapi.json").read_text())
    return document


def answers_of(service: str, document: dict[str, Any]) -> Iterator[Described]:
    golden = _load((ANSWERS / f"{service}.json").read_text())
    for group in GROUPS[service]:
        for case in group.cases:
            path = case.path.partition("?")[0]
            if described := operation(document, case.method, path):
                status, lines, body = golden[f"{group.name}: {case.name}"]
                names = {line.partition(": ")[0] for line in _whole(lines)}
                headers = {name for name in names if not NOT_DESCRIBED.match(name)}
                response = described["responses"].get(str(status))
                yield Described(f"{described['operationId']} {status}", status, headers, whole(body), response)


def whole(body: Any) -> Any:
    """Return the JSON of a body, or the text of a CSV file, with ids in place of their placeholders."""
    text = body if isinstance(body, str) else json.dumps(body)
    text = re.sub(r"<([a-z])-id-\d+>", rf"\g<1>-{'0' * 32}", text)
    return text if re.match(r"\w+,\w", text) else json.loads(text) if text else None


def codes(document: dict[str, Any], response: dict[str, Any]) -> set[str]:
    schema = response["content"][PROBLEM]["schema"]
    names = [choice["$ref"].rpartition("/")[2] for choice in schema.get("oneOf", [schema])]
    schemas = document["components"]["schemas"]
    return {code for name in names for code in schemas[name]["allOf"][1]["properties"]["code"]["enum"]}


def headers(response: dict[str, Any], *, optional: bool) -> set[str]:
    """Return the headers that a response always has, with `optional` those that it may have."""
    described = response["headers"].items()
    return {name.lower() for name, header in described if optional or header.get("required", True)}


def gaps(document: dict[str, Any], answer: Described) -> Iterator[str]:
    if answer.response is None:
        yield "the status"
        return
    yield from answer.headers - headers(answer.response, optional=True)
    yield from (f"always {name}" for name in headers(answer.response, optional=False) - answer.headers)
    if answer.status >= 400:
        yield from {answer.body["code"]} - codes(document, answer.response)
        yield from {answer.body["title"]} - {answer.response["description"]}


@pytest.mark.parametrize("service", GROUPS)
def test_document_describes_every_golden_answer(service: str) -> None:
    document = load(service)
    found = {f"{answer.request}: {gap}" for answer in answers_of(service, document) for gap in gaps(document, answer)}
    assert sorted(found) == []


@pytest.mark.parametrize("service", GROUPS)
def test_every_described_header_and_code_is_in_a_golden_answer(service: str) -> None:
    document = load(service)
    seen, described = defaultdict(set), defaultdict(set)
    for answer in answers_of(service, document):
        assert answer.response
        described[answer.request] = headers(answer.response, optional=True)
        seen[answer.request] |= answer.headers
        if answer.status >= 400:
            described[answer.request] |= codes(document, answer.response)
            seen[answer.request].add(answer.body["code"])
    unseen = {(request, name) for request in described for name in described[request] - seen[request]}
    assert (
        sorted(
            f"{request}: {name}"
            for request, name in unseen
            if name not in OF_RACES | OF_OTHER_STATES and (request[-3:], name) not in OF_RACES
        )
        == []
    )


@pytest.mark.parametrize("service", GROUPS)
def test_golden_bodies_have_the_described_shape(service: str) -> None:
    document = load(service)
    validators: dict[str, Draft202012Validator] = {}
    for answer in answers_of(service, document):
        for content in (answer.response or {}).get("content", {}).values():
            if answer.request not in validators:
                schema = content["schema"] | {"components": document["components"]}
                validators[answer.request] = Draft202012Validator(schema)
            validators[answer.request].validate(answer.body)
    assert validators
