"""Messages about wrong input are words: no regular expression is ever shown to a client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from .conftest import Headers, send
from .documents import Operation, changed, operations

WRONG: list[Any] = ["", " ", "x", "\x00", "a\u202eb", "sch\u00fcssel", "?" * 2000, None, 1, -1, 1.5, True, [], {}, [{}]]
REGEX_SIGNS = re.compile(r"pattern|regex|\^|\$|\\x|\[\^?\w-\w|\{\d+,\d*\}")


def texts(answer: Any) -> Iterator[str]:
    document = answer.get_json(silent=True)
    if answer.status_code >= 400:
        yield from (document["error"], document.get("detail") or "")
        yield from (fault["message"] for fault in document.get("errors", ()))


@pytest.mark.parametrize("operation", operations(), ids=lambda it: it.name)
def test_message_about_wrong_input_shows_no_regular_expression(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], operation: Operation
) -> None:
    answers = []
    for number, value in enumerate(WRONG):
        who = sign_up(f"somebody-{number}")
        places = [*operation.text_members, *operation.objects] if operation.body else []
        answers += [send(apps, operation, who, json=changed(operation.body, place, value)) for place in places]
        sent = str(value)
        how: dict[str, Any] = {"json": operation.body} if operation.body else {}
        for where, name in operation.parameters:
            if where == "query":
                how["path"] = f"{operation.path}?{name}={quote(sent)}"
            elif where == "path":
                how["path"] = operation.path.replace(f"{{{name}}}", quote(sent, safe=""))
            header = {name: sent} if where == "header" and sent.isprintable() else {}
            answers.append(send(apps, operation, who | header, **how))
    assert [text for answer in answers for text in texts(answer) if REGEX_SIGNS.search(text)] == []
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
