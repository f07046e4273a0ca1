"""Budgets of SQL statements and calls of own functions per request, the same on every machine and Python.

Lower a budget when the code needs less; raise one only for a feature that is worth it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from chassis.db.database import Database
from chassis.testing.budgets import effort

PROFILE_CALLS = 40
SIGN_IN = {"username": "alice", "password": "correct horse"}
STATEMENTS = {
    ("GET", "/profile"): 1,
    ("PATCH", "/profile"): 1,
    ("GET", "/profile/export"): 1,
    ("POST", "/login"): 2,
    ("POST", "/token/refresh"): 1,
    ("POST", "/logout"): 1,
}


def test_showing_the_profile_stays_within_its_budget_of_calls(app: Flask, alice: dict[str, str]) -> None:
    status, calls = effort(app, [{"path": "/profile", "headers": alice}] * 8)
    assert status == "200 OK"
    assert calls <= PROFILE_CALLS


@pytest.mark.parametrize(("method", "path"), STATEMENTS)
def test_number_of_statements_equals_the_budget(
    *, app: Flask, db: Database, alice: dict[str, str], login: Callable[..., Any],
    count_statements: Callable[..., Any], method: str, path: str
) -> None:  # fmt: skip
    refresh_token = login("alice").json["refresh_token"]
    bodies = {"/profile": {"name": "Al"}, "/login": SIGN_IN, "/token/refresh": {"refresh_token": refresh_token}}
    with count_statements(db) as statements:
        answer = app.test_client().open(path, method=method, headers=alice, json=bodies.get(path))
    assert answer.status_code in {200, 204}
    assert len(statements) == STATEMENTS[method, path]
