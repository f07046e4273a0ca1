"""Complete the OpenAPI document with what generators of clients need and the framework leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from chassis.problems import PHRASES

SCHEMA = "#/components/schemas/{model}"
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
ALWAYS = HEADERS.keys() - {"Idempotent-Replayed", "Link", *RATE_LIMIT}
"""Headers that a response has always if it may have them."""
_INTEGERS = {"Retry-After"}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of the copy that the client has; the answer is 304 while that is current.",
    "required": False,
    "schema": {"type": "string"},
}


def headers_of(names: Iterable[str], *, always: Collection[str] = ALWAYS) -> dict[str, Any]:
    """Return the headers of a response.

    Those that it has always are described once for all and referred to; generators take none of these for optional.
    """
    return {
        name: {"$ref": f"#/components/headers/{name}"} if name in always else _header(name, required=False)
        for name in names
    }


def _header(name: str, *, required: bool) -> dict[str, Any]:
    kind = "integer" if name in _INTEGERS else "string"
    return {"description": HEADERS[name], "required": required, "schema": {"type": kind}}


def complete(document: dict[str, Any]) -> None:
    """Add headers, say which operations need no token, and drop defaults that make optional members required."""
    components = document["components"]
    components["headers"] = {name: _header(name, required=True) for name in HEADERS if name in ALWAYS}
    for schema in _schemas(components["schemas"]):
        for member in schema.get("properties", {}).values():
            member.pop("default", None)
            _mend_minimum(member)
        _name_values(schema)
    for operation in _operations(document):
        operation.setdefault("security", [])
        _complete_parameters(operation.get("parameters", ()))
        _complete_body(operation.get("requestBody", {}).get("content", {}))
        _complete_responses(operation["responses"])
        if "304" in operation["responses"]:
            operation.setdefault("parameters", []).append(_IF_NONE_MATCH)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def _schemas(schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for schema in schemas.values():
        yield schema
        yield from _schemas(schema.pop("$defs", {}))


def _complete_parameters(parameters: Iterable[dict[str, Any]]) -> None:
    """Leave out null, because a parameter is there or not; name the values of enumerations."""
    for parameter in parameters:
        schema = parameter["schema"]
        for choice in schema.pop("anyOf", ()):
            if choice != {"type": "null"}:
                schema.update(choice)
        if schema.get("default", "") is None:
            del schema["default"]
        _mend_minimum(schema)
        _name_values(schema)


def _mend_minimum(schema: dict[str, Any]) -> None:
    """Write the minimum of an integer as such; the framework makes it a float."""
    for choice in schema.get("anyOf", ()):
        _mend_minimum(choice)
    if schema.get("type") == "integer" and "minimum" in schema:
        schema["minimum"] = int(schema["minimum"])


def _complete_body(content: dict[str, Any]) -> None:
    """Tell generators that a file is sent as bytes; to them, a string without a format is JSON."""
    for media_type, described in content.items():
        if not media_type.endswith("json"):
            described["schema"]["format"] = "binary"


def _name_values(schema: dict[str, Any]) -> None:
    """Name the values of an enumeration when generators could not use them as names themselves."""
    if not all(str(value).isidentifier() for value in schema.get("enum", ())):
        schema["x-enum-varnames"] = [_constant(value) for value in schema["enum"]]


def _constant(value: str) -> str:
    """Return a name such as ORDER_PLACED for order.placed, and PRICE_DESCENDING for the sort order -price."""
    name = value.removeprefix("-").replace(".", "_")
    return f"{name}{'_descending' if value.startswith('-') else ''}".upper()


def _complete_responses(responses: dict[str, Any]) -> None:
    # The framework would describe its own validation error, which no route returns.
    if "application/json" in responses.get("400", {}).get("content", {}):
        del responses["400"]
    for status in sorted(responses):
        response = responses[status] = responses.pop(status)
        response["headers"] = {**response.get("headers", {}), **headers_of(["X-Request-ID"])}
        if int(status) >= 400:  # noqa: PLR2004 - a status
            response["description"] = PHRASES[int(status)]
