"""The OpenAPI documents are valid, and as generators of clients need them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

API = Path(__file__).parents[2] / "docs" / "api"
DOCUMENTS = {
    service: json.loads((API / f"{service}.openapi.json").read_text()) for service in ("user-service", "order-service")
}
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for document in DOCUMENTS.values()
    for path, item in document["paths"].items()
    for method, operation in item.items()
]


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(inner)


@pytest.mark.parametrize("service", DOCUMENTS)
def test_document_is_valid_and_names_its_servers(service: str) -> None:
    validate(DOCUMENTS[service])
    assert DOCUMENTS[service]["servers"][0]["url"] == "/"


@pytest.mark.parametrize("service", DOCUMENTS)
def test_operations_have_different_names(service: str) -> None:
    names = [operation["operationId"] for item in DOCUMENTS[service]["paths"].values() for operation in item.values()]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("service", DOCUMENTS)
def test_values_of_enumerations_can_be_named_in_every_language(service: str) -> None:
    enumerations = [node for node in nodes(DOCUMENTS[service]) if "enum" in node]
    names = [node.get("x-enum-varnames", node["enum"]) for node in enumerations]
    assert enumerations
    assert [name for found in names for name in found if not name.isidentifier()] == []
    assert [len(found) for found in names] == [len(node["enum"]) for node in enumerations]


@pytest.mark.parametrize("service", DOCUMENTS)
def test_limits_of_integers_are_integers(service: str) -> None:
    found = [
        node["minimum"] for node in nodes(DOCUMENTS[service]) if node.get("type") == "integer" and "minimum" in node
    ]
    assert found
    assert [type(minimum) for minimum in found if type(minimum) is not int] == []


def test_problems_describe_their_own_members() -> None:
    schemas = DOCUMENTS["order-service"]["components"]["schemas"]
    common, own = schemas["OutOfStockProblem"]["allOf"]
    assert common == {"$ref": "#/components/schemas/ProblemOut"}
    assert own["properties"]["products"]["items"] == {"$ref": "#/components/schemas/ShortProduct"}
    assert sorted(own["required"]) == ["code", "products"]
    assert "products" not in schemas["ProblemOut"]["properties"]


@pytest.mark.parametrize("service", DOCUMENTS)
def test_no_member_of_a_body_has_a_default(service: str) -> None:
    schemas = DOCUMENTS[service]["components"]["schemas"]
    defaults = [inner for node in nodes(schemas) for inner in node.get("properties", {}).values() if "default" in inner]
    assert defaults == []
    assert [node for node in nodes(DOCUMENTS[service]) if node.get("default", "") is None] == []


def test_members_that_a_client_may_leave_out_are_optional() -> None:
    schemas = DOCUMENTS["order-service"]["components"]["schemas"]
    assert (schemas["PlaceOrder"]["required"], schemas["LineIn"]["required"]) == (["items"], ["product_id"])
    assert schemas["Address"]["required"] == ["street", "city", "country"]
    assert DOCUMENTS["user-service"]["components"]["schemas"]["RegisterBody"]["required"] == ["username", "password"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_is_named_like_a_function_and_says_who_may_call_it(operation: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+){0,2}", operation["operationId"])
    assert operation["security"] in ([], [{"bearer": []}], [{"service": []}], [{"bearer": []}, {"service": []}])
    assert [parameter for parameter in operation.get("parameters", ()) if "anyOf" in parameter["schema"]] == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_responses_describe_their_headers_and_problem_codes(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        assert "X-Request-ID" in response["headers"]
        if status >= "400":
            schema = response["content"]["application/problem+json"]["schema"]
            assert all(choice["$ref"].endswith("Problem") for choice in schema.get("oneOf", [schema]))
        if "ETag" in response["headers"]:
            assert "304" in operation["responses"]
            assert "If-None-Match" in [parameter["name"] for parameter in operation["parameters"]]
