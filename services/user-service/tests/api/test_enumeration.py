"""Neither the response to a login nor its time reveals whether an account exists."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from user_service.accounts.passwords import Passwords

TRIES = 200
ACCOUNTS = 8  # of each kind, because one account would be throttled


def test_known_and_unknown_accounts_differ_neither_in_answer_nor_in_time(
    app: Flask, client: FlaskClient, register: Callable[..., Any]
) -> None:
    # given a hash about as slow as the rest of a login; a slower one would hide differences in the rest
    app.services.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=512, parallelism=1))
    for number in range(ACCOUNTS):
        register(f"known{number}")
    seconds: dict[str, list[float]] = {"known": [], "other": []}
    answers = set()

    # when both kinds alternate, so that other load slows both
    gc.disable()
    for number in range(TRIES):
        for kind, taken in seconds.items():
            body = {"username": f"{kind}{number % ACCOUNTS}", "password": "wrong horse"}
            address_of_client = {"REMOTE_ADDR": f"198.51.100.{number}"}
            begun = perf_counter()
            answer = client.post(
                "/login", json=body, environ_overrides=address_of_client, headers={"X-Request-ID": "same"}
            )
            taken.append(perf_counter() - begun)
            del answer.headers["RateLimit"]  # counts by address, and in seconds
            answers.add((answer.status, answer.data, tuple(answer.headers)))
    gc.enable()

    # then
    assert len(answers) == 1
    assert 0.8 < median(seconds["known"]) / median(seconds["other"]) < 1.25
