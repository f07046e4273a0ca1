"""Complete the OpenAPI document with what generators of clients need and the framework leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chassis.problems import MEDIA_TYPE

RATE_LIMIT = ("RateLimit", "RateLimit-Policy")
HEADERS = {
    "ETag": "The version of the response, for `If-None-Match`.",
    "Idempotent-Replayed": "`true` when the order of this `Idempotency-Key` was placed before.",
    "Link": 'Where the next page is: `</products?after=...>; rel="next"`; absent on the last page.',
    "Location": "Where the new resource is.",
    "RateLimit": "How many attempts are left (r), for how many seconds (t).",
    "RateLimit-Policy": "How many attempts (q) are allowed in how many seconds (w).",
    "Retry-After": "After how many seconds to try again.",
    "WWW-Authenticate": "The scheme to authenticate with.",
    "X-Request-ID": "The id of the request, also in the log.",
}
_INTEGERS = {"Retry-After"}


def references(names: Iterable[str]) -> dict[str, Any]:
    """Return the headers of a response, which are described once for all."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def complete(document: dict[str, Any]) -> None:
    """Add headers, say which operations need no token, and drop defaults that make optional members required."""
    components = document["components"]
    components["headers"] = {
        name: {"description": text, "schema": {"type": "integer" if name in _INTEGERS else "string"}}
        for name, text in HEADERS.items()
    }
    for schema in _schemas(components["schemas"]):
        for member in schema.get("properties", {}).values():
            member.pop("default", None)
    for operation in _operations(document):
        operation.setdefault("security", [])
        _complete_parameters(operation.get("parameters", ()))
        _complete_responses(operation["responses"], components["schemas"])


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def _schemas(schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for schema in schemas.values():
        yield schema
        yield from _schemas(schema.pop("$defs", {}))


def _complete_parameters(parameters: Iterable[dict[str, Any]]) -> None:
    """Leave out null: a parameter is there or not."""
    for parameter in parameters:
        schema = parameter["schema"]
        for choice in schema.pop("anyOf", ()):
            if choice != {"type": "null"}:
                schema.update(choice)
        if schema.get("default", "") is None:
            del schema["default"]


def _complete_responses(responses: dict[str, Any], schemas: dict[str, Any]) -> None:
    # The framework would describe its own validation error, which no route returns.
    if "application/json" in responses.get("400", {}).get("content", {}):
        del responses["400"]
    for response in responses.values():
        response["headers"] = {**response.get("headers", {}), **references(["X-Request-ID"])}
        if problem := response.get("content", {}).get(MEDIA_TYPE):
            problem["schema"] = _one_of(problem["schema"]["enum"], schemas)
    for status in sorted(responses):
        responses[status] = responses.pop(status)


def _one_of(codes: list[str], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a problem with one of these codes; each code has a schema of its own."""
    found = []
    for code in sorted(set(codes)):
        name = f"{code.title().replace('_', '')}Problem"
        own = {"type": "object", "properties": {"code": {"type": "string", "enum": [code]}}, "required": ["code"]}
        schemas[name] = {"allOf": [{"$ref": "#/components/schemas/ProblemOut"}, own]}
        found.append({"$ref": f"#/components/schemas/{name}"})
    return found[0] if len(found) == 1 else {"oneOf": found}
