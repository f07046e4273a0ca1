from __future__ import annotations

import pytest
from flask.testing import FlaskClient


def test_username_slow_to_normalise_is_refused_before_that(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    normalised = []
    monkeypatch.setattr("user_service.accounts.rules.normalised", lambda text: normalised.append(text) or text)
    # when
    account = {"username": "\u0315\u0300" * 4000, "password": "correct horse"}
    answer = client.post("/register", json=account)
    # then
    assert (answer.status_code, normalised) == (400, [])
