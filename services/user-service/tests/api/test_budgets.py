"""What a request may cost, counted in what does not depend on the machine: SQL statements and calls of functions.

Lower a budget when the code gets leaner; raise one only for what is worth it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from chassis.db.database import Database
from chassis.testing.budgets import effort

PROFILE_CALLS = 44
PROFILE_STATEMENTS = 1
LOGIN_STATEMENTS = 2


def test_showing_the_profile_stays_within_its_budget_of_calls(app: Flask, alice: dict[str, str]) -> None:
    status, calls = effort(app, [{"path": "/profile", "headers": alice}] * 8)
    assert status == "200 OK"
    assert calls <= PROFILE_CALLS


def test_showing_the_profile_takes_as_many_statements_as_its_budget_says(
    app: Flask, alice: dict[str, str], db: Database, count_statements: Callable[..., Any]
) -> None:
    with count_statements(db) as statements:
        assert app.test_client().get("/profile", headers=alice).status == "200 OK"
    assert len(statements) == PROFILE_STATEMENTS


def test_signing_in_takes_as_many_statements_as_its_budget_says(
    db: Database, register: Callable[..., Any], login: Callable[..., Any], count_statements: Callable[..., Any]
) -> None:
    register("alice")
    with count_statements(db) as statements:
        assert login("alice").status == "200 OK"
    assert len(statements) == LOGIN_STATEMENTS
