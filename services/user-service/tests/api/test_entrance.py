"""Tokens that the service accepts and refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from chassis.auth.tokens import DemoTokens
from chassis.context import Caller
from chassis.server.health import newest
from chassis.settings import LOCAL_SECRET
from chassis.testing.http import bearer
from user_service import MIGRATIONS, create_app
from user_service.accounts.passwords import Passwords
from user_service.settings import Settings

Call = Callable[..., Any]
Headers = dict[str, str]


def claims(headers: Headers) -> Caller:
    return DemoTokens((LOCAL_SECRET,), 900).verify(headers["Authorization"].removeprefix("Bearer "))[0]


def test_expired_tampered_cut_or_foreign_token_is_refused(
    client: FlaskClient, alice: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    caller, good = claims(alice), alice["Authorization"]
    unsigned, _, signature = good.rpartition(".")
    salted = URLSafeTimedSerializer(LOCAL_SECRET, salt="other")
    with monkeypatch.context() as an_hour_ago:
        an_hour_ago.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: 1_000_000_000)
        expired = bearer(*caller)["Authorization"]
    bad = {
        "expired": expired,
        "tampered payload": good[:12] + ("A" if good[12] != "A" else "B") + good[13:],
        "tampered signature": f"{unsigned}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "truncated": good[:-1],
        "unsigned": unsigned,
        "wrong salt": f"Bearer {salted.dumps({'sub': caller.user_id, 'username': 'alice', 'sid': caller.session_id})}",
        "other key": bearer(*caller, secret="another secret of thirty-two letters")["Authorization"],
        "other claims": f"Bearer {DemoTokens((LOCAL_SECRET,), 900)._serializer.dumps({'sub': caller.user_id})}",
    }
    # when
    answers = {flaw: client.get("/profile", headers={"Authorization": token}) for flaw, token in bad.items()}
    # then
    assert client.get("/profile", headers=bearer(*caller)).status_code == 200
    refusals = {flaw: (answer.status_code, answer.json["error"]) for flaw, answer in answers.items()}
    assert refusals == dict.fromkeys(bad, (401, "invalid token"))


def test_a_token_is_refused_when_user_and_session_do_not_belong_together(
    client: FlaskClient, alice: Headers, register: Call
) -> None:
    # given
    bob = register("bob").json["id"]
    # when
    answer = client.get("/profile", headers=bearer(bob, "bob", claims(alice).session_id))
    # then
    assert (answer.status_code, answer.json["error"]) == (401, "invalid token")


def test_the_newest_secret_signs_and_older_ones_still_verify(
    settings: Settings, client: FlaskClient, alice: Headers
) -> None:
    # given
    new, credentials = "a newer secret of at least 32 letters", {"username": "alice", "password": "correct horse"}
    rotated = create_app(settings.model_copy(update={"token_secrets": (new, LOCAL_SECRET)}))
    retired = create_app(settings.model_copy(update={"token_secrets": (new,)}))
    # when
    token = rotated.test_client().post("/login", json=credentials).json["token"]
    fresh = {"Authorization": f"Bearer {token}"}
    # then
    assert rotated.test_client().get("/profile", headers=alice).status_code == 200
    assert rotated.test_client().get("/profile", headers=fresh).status_code == 200
    assert retired.test_client().get("/profile", headers=fresh).status_code == 200
    assert retired.test_client().get("/profile", headers=alice).status_code == 401
    assert client.get("/profile", headers=fresh).status_code == 401
    for app in (rotated, retired):
        app.services.database.close()


def test_readyz_fails_when_the_schema_is_too_old(client: FlaskClient, run: Call) -> None:
    assert client.get("/readyz").status_code == 200
    run("UPDATE alembic_version SET version_num = '0000'")
    behind = client.get("/readyz")
    run("UPDATE alembic_version SET version_num = %(newest)s", newest=newest(MIGRATIONS))
    assert (behind.status_code, behind.json["code"]) == (503, "not_ready")


def test_service_uses_the_full_hashing_parameters(settings: Settings) -> None:
    app = create_app(settings)
    assert isinstance(app.services.passwords, Passwords)
    assert app.services.passwords.hash("correct horse").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    app.services.database.close()
