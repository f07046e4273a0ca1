"""Variants of a username and concurrent registrations share one account."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from .conftest import Headers

SIGN_UPS = 1000


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("admin", "ADMIN"),
        ("admin", "ａｄｍｉｎ"),
        ("admin", "𝐚𝐝𝐦𝐢𝐧"),
        ("admin", "ⓐⓓⓜⓘⓝ"),
        ("admin", "ᵃᵈᵐⁱⁿ"),
        ("office", "oﬃce"),
        ("straße", "STRASSE"),
        ("straße", "ſtraẞe"),
        ("kelvin", "\u212aelvin"),
        ("josé", "jose\u0301"),
        ("σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("ᾷων", "ᾼ͂ΩΝ"),
    ],
)
def test_variant_of_a_username_is_the_same_account(
    apps: dict[str, Flask], sign_up: Callable[..., Headers], name: str, variant: str
) -> None:
    assert name != variant
    client = apps["user-service"].test_client()
    theirs: Any = client.get("/profile", headers=sign_up(name)).json
    taken: Any = client.post("/register", json={"username": variant, "password": "amber-station-77"})
    assert (taken.status_code, taken.json["code"]) == (409, "username_taken")
    mine: Any = client.get("/profile", headers=sign_up(variant)).json
    assert mine == theirs


def test_homoglyphs_of_another_script_are_different_usernames(
    apps: dict[str, Flask], sign_up: Callable[..., Headers]
) -> None:
    """Accepted because no user sees the username of another; see docs/security.md."""
    client = apps["user-service"].test_client()
    latin, cyrillic = "paypal", "раураl"
    assert unicodedata.name(cyrillic[0]).startswith("CYRILLIC")
    ids = {client.get("/profile", headers=sign_up(name)).json["id"] for name in (latin, cyrillic)}  # type: ignore[index]
    assert len(ids) == 2


def test_one_of_1000_parallel_registrations_of_a_name_succeeds(apps: dict[str, Flask]) -> None:
    app = apps["user-service"]

    def register(number: int) -> TestResponse:
        name = "".join(letter.upper() if number >> place & 1 else letter for place, letter in enumerate("wanted"))
        home = {"REMOTE_ADDR": f"10.9.{number // 250}.{number % 250}"}
        body = {"username": name, "password": f"violet-harbour-{number}"}
        return app.test_client().post("/register", json=body, environ_base=home)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(register, range(SIGN_UPS)))

    assert len(answers) == SIGN_UPS
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses[201] == 1
    assert set(statuses) <= {201, 409, 429, 503}
    assert statuses[409] > 0  # the others were throttled
    assert all(int(it.headers["Retry-After"]) > 0 for it in answers if it.status_code in {429, 503})
    assert app.services.database.fetch_one("SELECT count(*) AS users FROM users").users == 1
