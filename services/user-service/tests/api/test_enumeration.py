"""Neither the response to a login nor the work for it reveals whether an account exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher, extract_parameters
from flask import Flask
from flask.testing import FlaskClient

from chassis.db.database import Database
from chassis.testing.budgets import effort
from user_service.accounts.passwords import Passwords

KINDS = ("known", "other")
TRIES = 4


class RecordingHasher(PasswordHasher):
    """Lists the parameters of the hashes that it verifies."""

    verified: list[Any]

    def verify(self, hash: Any, password: Any) -> Any:  # noqa: A002 - the name of the base class
        self.verified.append(extract_parameters(hash))
        return super().verify(hash, password)


def wrong_login(kind: str, number: int) -> dict[str, Any]:
    """Return a failed login from an address of its own, so that none is throttled."""
    return {
        "path": "/login",
        "method": "POST",
        "json": {"username": kind, "password": "wrong horse"},
        "environ_base": {"REMOTE_ADDR": f"198.51.100.{number}"},
        "headers": {"X-Request-ID": "same"},
    }


def test_known_and_unknown_account_get_the_same_response(client: FlaskClient, register: Callable[..., Any]) -> None:
    register("known")
    answers = set()
    for number, kind in enumerate(KINDS):
        answer = client.open(**wrong_login(kind, number))
        del answer.headers["RateLimit"]  # counts by address, and in seconds
        answers.add((answer.status, answer.data, tuple(answer.headers)))
    assert len(answers) == 1


def test_known_and_unknown_account_cost_the_same_work(
    app: Flask, db: Database, register: Callable[..., Any], count_statements: Callable[..., Any]
) -> None:
    hasher = RecordingHasher(time_cost=1, memory_cost=8, parallelism=1)
    app.services.passwords = Passwords(hasher)
    register("known")
    work = {}
    for kind in KINDS:
        hasher.verified = []
        with count_statements(db) as statements:
            calls = effort(app, [wrong_login(kind, number) for number in range(TRIES)])
        work[kind] = calls, hasher.verified, statements
    assert work["known"] == work["other"]
    assert len(work["known"][1]) == TRIES


def test_hash_for_unknown_accounts_is_as_strong_as_a_real_one() -> None:
    passwords = Passwords()
    assert extract_parameters(passwords._dummy_hash) == extract_parameters(passwords.hash("correct horse"))
