from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from chassis.telemetry.logging import configure, redact
from chassis.testing.http import bearer

Lines = Callable[[], list[dict[str, Any]]]


def test_each_request_leaves_one_line_with_its_fields(lines: Lines, client: FlaskClient) -> None:
    client.get("/me", headers=bearer("u-7") | {"X-Request-ID": "abc-1"})
    (line,) = lines()
    assert {name: line[name] for name in ("event", "method", "path", "status", "user", "request_id", "service")} == {
        "event": "request",
        "method": "GET",
        "path": "/me",
        "status": 200,
        "user": "u-7",
        "request_id": "abc-1",
        "service": "toy-service",
    }


def test_a_log_line_of_a_library_has_the_same_shape_and_cannot_be_split(lines: Lines) -> None:
    configure("toy-service", "local", "INFO")
    logging.getLogger("some.package").warning('two\nlines and a "quote"')
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"]) == ('two\nlines and a "quote"', "WARNING", "some.package")


def test_secrets_are_blanked_in_members_and_in_text(lines: Lines) -> None:
    configure("toy-service", "local", "INFO")
    logging.getLogger("x").warning(
        "sent Authorization: Bearer abc.def and password=hunter2",
        extra={"refresh_token": "r-1", "nested": {"new_password": "p-1", "kept": "here"}},
    )
    (line,) = lines()
    assert line["event"] == "sent Authorization: Bearer [redacted] and password=[redacted]"
    assert (line["refresh_token"], line["nested"]) == ("[redacted]", {"new_password": "[redacted]", "kept": "here"})


def test_a_crash_is_logged_with_its_traceback_and_answered_without(lines: Lines, client: FlaskClient) -> None:
    configure("toy-service", "local", "INFO")
    answer = client.get("/bug")
    assert answer.status_code == 500
    assert answer.json is not None
    assert (answer.json["code"], answer.json["error"]) == ("internal_error", "internal error")
    assert "hunter2" not in answer.text
    crash = next(line for line in lines() if line["event"] == "unhandled_error")
    assert "RuntimeError" in crash["exc_info"]
    assert "hunter2" not in crash["exc_info"]


@given(st.text(min_size=1, alphabet=st.characters(exclude_characters=" \"',}", exclude_categories=["Z", "C"])))
def test_no_bearer_token_survives_redaction(token: str) -> None:
    assert redact(f"Bearer {token}") == "Bearer [redacted]"


@pytest.mark.parametrize("harmless", ["a bear", "the passage", 7, None, ["x"], {"order_id": "o-1"}])
def test_text_without_secrets_is_logged_unchanged(harmless: Any) -> None:
    assert redact(harmless) == harmless


def test_line_cut_short_by_a_full_disk_is_ended_before_the_next(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    room = iter([3, 10_000])

    def write(_: int, line: bytes) -> int:
        written.append(line[: next(room)])
        return len(written[-1])

    with monkeypatch.context() as full_disk:
        full_disk.setattr(os, "write", write)
        client.get("/me")
        logging.getLogger("toy").warning("there is room again")

    torn, whole, end = b"".join(written).split(b"\n")
    assert (torn, json.loads(whole)["event"], end) == (b'{"l', "there is room again", b"")
