"""The OpenAPI documents describe every status, problem code and header of the golden answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_golden import ANSWERS, GROUPS, _load

DOCUMENTS = Path(__file__).parents[2] / "docs" / "api"
PROBLEM = "application/problem+json"
NOT_DESCRIBED = re.compile(r"usual|(access-control-|allow|cache-control|content-|vary|x-|server|referrer-)")


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


def codes(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    for choice in schema.get("oneOf", [schema]):
        named = document["components"]["schemas"][choice["$ref"].rpartition("/")[2]]
        yield from named["allOf"][1]["properties"]["code"]["enum"]


def gaps(document: dict[str, Any], described: dict[str, Any], answer: list[Any]) -> Iterator[str]:
    status, headers, body = answer
    response = described["responses"].get(str(status))
    if response is None:
        yield f"status {status}"
        return
    names = {line.partition(": ")[0] for line in headers if not NOT_DESCRIBED.match(line)}
    yield from names - {name.lower() for name in response.get("headers", {})}
    if status >= 400 and body["code"] not in codes(document, response["content"][PROBLEM]["schema"]):
        yield body["code"]


@pytest.mark.parametrize("service", GROUPS)
def test_document_describes_every_golden_answer(service: str) -> None:
    document = json.loads((DOCUMENTS / f"{service}.openapi.json").read_text())
    answers = _load((ANSWERS / f"{service}.json").read_text())
    found = set()
    for group in GROUPS[service]:
        for case in group.cases:
            described = operation(document, case.method, case.path.partition("?")[0])
            for gap in gaps(document, described, answers[f"{group.name}: {case.name}"]) if described else ():
                found.add(f"{case.method} {case.path.partition('?')[0]}: {gap}")
    assert sorted(found) == []
