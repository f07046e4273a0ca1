"""The responses of both services have not changed; `make golden-answers` writes them anew for review."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from chassis.pages.blueprint import Pages

from . import order_service, user_service
from .cases import Case, Group
from .conftest import World, rows
from .wire import USUAL, Scribe, ask

ANSWERS = Path(__file__).parent / "answers"
GROUPS: dict[str, list[Group]] = {"user-service": user_service.GROUPS, "order-service": order_service.GROUPS}
Enter = Callable[[str, str], AbstractContextManager[World]]
Answers = dict[str, list[Any]]
# A refused refresh token changes rows: its use is counted, and reuse ends the session.
CHANGES_ALTHOUGH_REFUSED = {"POST /token/refresh: spent, another client", "POST /token/refresh: its successor"}


@pytest.mark.parametrize("service", GROUPS)
def test_responses_equal_the_golden_ones(service: str, open_world: Enter) -> None:
    file, found = ANSWERS / f"{service}.json", {}
    for group in GROUPS[service]:
        found |= _answers(service, group, open_world)
    if "UPDATE_GOLDEN" in os.environ:
        file.write_text(_dump(found))
    differences = list(_differences(_load(file.read_text()), found))
    assert not differences, "answers differ:\n" + "\n".join(differences)


@pytest.mark.parametrize("service", GROUPS)
def test_every_method_of_every_route_has_a_case(service: str, open_world: Enter) -> None:
    with open_world(service, "away") as world:
        asked = {_route(world.app, case) for group in GROUPS[service] for case in group.cases}
        served = {
            (method, rule.rule)
            for rule in world.app.url_map.iter_rules()
            if not isinstance(world.app.blueprints.get(rule.endpoint.rpartition(".")[0]), Pages)
            for method in rule.methods or ()
        }
    assert sorted(served - asked) == [], f"add cases to tests/golden/{service.replace('-', '_')}.py"


@pytest.mark.parametrize("service", GROUPS)
def test_case_names_are_unique(service: str) -> None:
    names = [f"{group.name}: {case.name}" for group in GROUPS[service] for case in group.cases]
    assert sorted(set(names)) == sorted(names)


def _answers(service: str, group: Group, open_world: Enter) -> Answers:
    answers, scribe = {}, Scribe()
    with open_world(service, group.world) as world:
        for number, case in enumerate(group.cases):
            # One address per case, so that cases share no rate limit.
            address = case.address or f"203.0.{113 + number // 250}.{number % 250 + 1}"
            before = rows(world.app, group.world)
            answer = ask(world.app, case, world.saved, address)
            if answer.status >= HTTPStatus.BAD_REQUEST and case.name not in CHANGES_ALTHOUGH_REFUSED:
                assert rows(world.app, group.world) == before, (
                    f"{group.name}: {case.name}: refused, and yet it changed rows"
                )
            answers[f"{group.name}: {case.name}"] = scribe.write(case, answer)
            for name, _, member in (one.partition("=") for one in case.save.split(",") if one):
                world.saved[name] = answer.find(member)
    return answers


def _route(app: Flask, case: Case) -> tuple[str, str]:
    try:
        rule, _ = app.url_map.bind("").match(case.path.partition("?")[0], case.method, return_rule=True)
    except HTTPException:
        return "", ""
    return case.method, rule.rule


def _dump(answers: Answers) -> str:
    """Return one line per answer; an answer equal to an earlier one is written as the name of that case."""
    firsts: dict[str, str] = {}
    lines = []
    for name, answer in answers.items():
        written = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        first = firsts.setdefault(written, name)
        lines.append(f"{json.dumps(name)}: {written if first == name else json.dumps(first)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _load(text: str) -> Answers:
    written: dict[str, Any] = json.loads(text)
    return {name: written[answer] if isinstance(answer, str) else answer for name, answer in written.items()}


def _differences(golden: Answers, found: Answers) -> Iterator[str]:
    yield from (f"{name}\n  has no golden answer" for name in found if name not in golden)
    yield from (f"{name}\n  has a golden answer, but no case" for name in golden if name not in found)
    for name in (name for name in found if name in golden and golden[name] != found[name]):
        yield name
        for part, old, new in zip(("status", "headers", "body"), golden[name], found[name], strict=True):
            if part == "headers":
                yield from (f"  - {line}" for line in _without(old, new))
                yield from (f"  + {line}" for line in _without(new, old))
            elif old != new:
                yield f"  - {part}: {old}\n  + {part}: {new}"


def _without(lines: list[str], others: list[str]) -> list[str]:
    """Return the lines missing from the others; equal lines are counted."""
    rest = _whole(others)
    return [line for line in _whole(lines) if line not in rest or rest.remove(line)]  # type: ignore[func-returns-value]


def _whole(lines: list[str]) -> list[str]:
    return [whole for line in lines for whole in (USUAL if line == "usual" else [line])]
