"""Budgets of SQL statements and calls of own functions per request, the same on every machine and Python.

Lower a budget when the code needs less; raise one only for a feature that is worth it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.testing.budgets import effort

PROFILE_CALLS = 40
PAGE_CALLS = 79
SIGN_IN = {"username": "alice", "password": "correct horse"}
STATEMENTS = {
    ("GET", "/profile"): 1,
    ("PATCH", "/profile"): 1,
    ("GET", "/profile/export"): 1,
    ("POST", "/login"): 2,
    ("POST", "/token/refresh"): 1,
    ("POST", "/logout"): 1,
    ("POST", "/email/verification"): 2,
    ("POST", "/password/forgotten"): 2,
    ("POST", "/password/reset"): 1,
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
    bodies = {
        "/profile": {"name": "Al"},
        "/login": SIGN_IN,
        "/token/refresh": {"refresh_token": refresh_token},
        "/password/forgotten": {"email": "alice@example.com"},
        "/password/reset": {"token": "made up", "new_password": "battery staple"},  # refused before hashing
    }
    with count_statements(db) as statements:
        answer = app.test_client().open(path, method=method, headers=alice, json=bodies.get(path))
    assert answer.status_code in {200, 202, 204} or path == "/password/reset"
    assert len(statements) == STATEMENTS[method, path]


PAGES = {
    "": 1,
    "/address": 1,
    "/devices": 1,
    "/passkeys": 2,
    "/data/account.json": 1,
    "/password": 1,
    "/data": 1,
    "/sign-in": 0,
    "/password/forgotten": 0,
    "/password/new": 0,
    "/email/confirm": 0,
}


@pytest.mark.parametrize("page", PAGES)
def test_number_of_statements_of_a_page_equals_the_budget(
    db: Database, alices: FlaskClient, count_statements: Callable[..., Any], page: str
) -> None:
    with count_statements(db) as statements:
        assert alices.get(f"/account{page}").status_code == 200
    assert len(statements) == PAGES[page]


def test_a_signed_in_page_stays_within_its_budget_of_calls(app: Flask, alices: FlaskClient) -> None:
    cookie = f"shop-token={alices.get_cookie('shop-token').value}"  # type: ignore[union-attr]
    request = {"path": "/account", "headers": {"Cookie": cookie, "Accept": "text/html"}}
    status, calls = effort(app, [request] * 8)
    assert status == "200 OK"
    assert calls <= PAGE_CALLS
