"""Read operations and bodies from the OpenAPI documents, so that new members are attacked automatically."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

API = Path(__file__).parents[2] / "docs" / "api"
SERVICES = ("user-service", "order-service")
Place = tuple[str | int, ...]

# Valid values of members whose rules are not in the schema.
RIGHT = {
    "username": "mallory",
    "password": "violet-harbour-42",
    "current_password": "violet-harbour-42",
    "new_password": "amber-station-77",
    "email": "mallory@example.com",
    "phone": "+49 30 1234567",
    "country": "DE",
    "product_id": "p1",
    "currency": "EUR",
    "url": "https://hooks.example.com/",
    "types": "order.placed",
    "images": "https://shop.example.com/p1.png",
    "countries": "DE",
    "shipping_method": "standard",
    "expected_total": 14.9,
    "tracking_url": "https://carrier.example/track/1",
}
# Members that exclude others.
LEFT_OUT = {"RefundIn": {"amount"}, "RefundLine": {"line"}}


class Operation(NamedTuple):
    service: str
    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    """Location and name of each, such as ("query", "after")."""
    body: dict[str, Any] | None
    """A valid body with all members."""

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def for_staff(self) -> bool:
        return self.path.startswith(("/staff/", "/admin/", "/events"))

    @property
    def text_members(self) -> list[Place]:
        return [place for place, value in _leaves(self.body) if isinstance(value, str)]

    @property
    def objects(self) -> list[Place]:
        return list(_objects(self.body))


def operations() -> list[Operation]:
    return [operation for service in SERVICES for operation in _operations(service)]


def changed(body: Any, place: Place, value: Any) -> Any:
    """Return a copy of the body with another value at one place."""
    if not place:
        return value
    copy = deepcopy(body)
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return copy


def at(body: Any, place: Place) -> Any:
    for step in place:
        body = body[step]
    return body


def _operations(service: str) -> Iterator[Operation]:
    document = json.loads((API / f"{service}.openapi.json").read_text())
    for path, item in document["paths"].items():
        for method, operation in item.items():
            parameters = tuple((it["in"], it["name"]) for it in operation.get("parameters", []))
            content = operation.get("requestBody", {}).get("content", {})
            json_body = content.get("application/json")
            body = _right(json_body["schema"], document) if json_body else None
            yield Operation(service, method, path, parameters, body)


def _right(schema: dict[str, Any], document: dict[str, Any], name: str = "") -> Any:
    left_out: set[str] = set()
    if "$ref" in schema:
        title = schema["$ref"].rpartition("/")[2]
        schema, left_out = document["components"]["schemas"][title], LEFT_OUT.get(title, set())
    schema = schema.get("anyOf", [schema])[0]
    if "$ref" in schema:
        return _right(schema, document, name)
    if schema["type"] == "object":
        members = schema.get("properties", {}).items()
        return {member: _right(inner, document, member) for member, inner in members if member not in left_out}
    if schema["type"] == "array":
        return [_right(schema["items"], document, name)]
    usual = {"integer": 1, "number": 1, "boolean": True}.get(schema["type"], "some text")
    return RIGHT.get(name, usual)


def _leaves(body: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    if isinstance(body, dict | list):
        for step, inner in body.items() if isinstance(body, dict) else enumerate(body):
            yield from _leaves(inner, (*place, step))
    elif body is not None:
        yield place, body


def _objects(body: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the places of objects with members of given names; one without may have any."""
    if isinstance(body, dict) and body:
        yield place
    if isinstance(body, dict | list):
        for step, inner in body.items() if isinstance(body, dict) else enumerate(body):
            yield from _objects(inner, (*place, step))
