"""Crash before and after each write: the write happens once or not at all."""

from __future__ import annotations

import base64
import json
import time
from typing import Any, NamedTuple

import psycopg
import pytest
from argon2 import PasswordHasher

from chaos import failpoints
from chaos.balancer import Errand
from chaos.environment import PASSWORD, Environment, bearer, open_session
from chaos.failpoints import Deed
from chaos.report import Outcome
from chaos.wire import Line, Response, Unanswered
from user_service.sessions.refresh_tokens import REUSE_LEEWAY_SECONDS

SHIP_TO = {"recipient": "Rosa", "street": "Elm 1", "city": "Bonn", "postal_code": "53111", "country": "DE"}
TWO_WAYS_ON = """
SELECT session_id FROM refresh_tokens JOIN sessions ON sessions.id = session_id
WHERE ended_at IS NULL AND uses = 0 GROUP BY session_id HAVING count(*) > 1
"""
ERASED_UNSAID = """
SELECT id FROM users WHERE deleted_at IS NOT NULL AND NOT EXISTS (SELECT FROM endings WHERE user_id = users.id)
"""
GIVE_TOKENS = """
INSERT INTO mail_tokens (digest, user_id, purpose, email_key, expires_at)
SELECT sha256(convert_to(word || ' ' || username, 'UTF8')), id, purpose, email_key, now() + interval '1 hour'
FROM users, (VALUES ('confirm', 'confirm_email'), ('reset', 'reset_password')) AS kinds (word, purpose)
WHERE username = %(username)s
"""
PAID_AND_REFUNDED = """
WITH paid AS (
    INSERT INTO payments (order_id, provider, provider_id, amount_minor, currency, status, paid_minor, paid_currency)
    SELECT id, 'test', id::text, total_minor, currency, 'paid', total_minor, currency FROM orders WHERE buyer_id = %s
    RETURNING *
)
INSERT INTO refunds (order_id, payment_id, amount_minor, currency, reason, status, provider_id)
SELECT order_id, id, amount_minor, currency, 'late', 'done', id::text FROM paid
"""
PERSONAL = """
SELECT count(*) FROM orders WHERE buyer_id = %s AND num_nonnulls(buyer_name, ship_to, receipt, idempotency_key) > 0
"""


def insist(environment: Environment, line: Line, errand: Errand) -> Response:
    """Repeat a request until the answer is not 503; restart ended servers meanwhile."""
    while True:
        try:
            answer = line.ask(*errand)
            if answer.status != 503:
                return answer
        except Unanswered:
            pass
        environment.tend(0.1)


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.PLACE, Deed.CANCEL))
def test_orders_survive_a_crash_at(point: str, environment: Environment) -> None:
    invariants = environment.invariants()
    armed = environment.arm(point)
    with environment.load(4) as load:
        environment.tend_until(lambda: not armed.exists())
        environment.mark()
        environment.tend(1)
    environment.close(f"crash at {point}", invariants, load)


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.REFRESH))
def test_session_never_has_two_valid_refresh_tokens_after_a_crash_at(point: str, environment: Environment) -> None:
    session = open_session(environment.shop, point)
    line = Line([environment.shop.user.port])
    body = {"refresh_token": session["refresh_token"]}

    armed = environment.arm(point)
    asked_at = time.monotonic()
    with pytest.raises(Unanswered):
        line.ask("POST", "/token/refresh", body)
    assert not armed.exists()
    crashed_at = time.monotonic()
    again = insist(environment, line, ("POST", "/token/refresh", body, {}))
    line.close()

    # Before the write the token is unused. After it the same client may repeat the request within the leeway.
    soon = time.monotonic() - asked_at < REUSE_LEEWAY_SECONDS
    assert again.status == 200 or (again.status == 401 and point == "refresh_session.after" and not soon)
    with psycopg.connect(environment.shop.user.database_url) as connection:
        assert connection.execute(TWO_WAYS_ON).fetchall() == []
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))


@pytest.mark.budget(120)
@pytest.mark.parametrize("point", failpoints.of(Deed.ERASE))
def test_account_is_erased_in_both_services_after_a_crash_at(point: str, environment: Environment) -> None:
    # given a customer with an order
    invariants = environment.invariants()
    customer = bearer(open_session(environment.shop, point))
    shop, users = Line(environment.ports), Line([environment.shop.user.port])
    order = {"items": [{"product_id": "p1"}], "ship_to": SHIP_TO, "shipping_method": "standard"}
    user_id = insist(environment, users, ("GET", "/profile", None, customer)).json["id"]
    placed = insist(environment, shop, ("POST", "/orders", order, customer | {"Idempotency-Key": point}))
    assert placed.status == 201
    with psycopg.connect(environment.shop.order.database_url) as connection:
        connection.execute(PAID_AND_REFUNDED, (user_id,))

    # when a process crashes during the deletion of the account
    armed = environment.arm(point)
    deleted = insist(environment, users, ("DELETE", "/profile", {"password": PASSWORD}, customer))
    environment.tend_until(lambda: not armed.exists())
    crashed_at = time.monotonic()

    # then it is deleted (401: the first request had deleted it before the crash)
    assert deleted.status in {204, 401}
    environment.tend_until(lambda: personal_data(environment, user_id) == 0)
    with psycopg.connect(environment.shop.user.database_url) as connection:
        assert connection.execute(ERASED_UNSAID).fetchall() == []
    with environment.load(1) as load:
        environment.tend_until(lambda: len(load.acknowledged) > 0)
    outcome = environment.close(f"crash at {point}", invariants, load)
    environment.outcomes[-1] = outcome._replace(recovery_seconds=time.monotonic() - crashed_at)
    for line in (shop, users):
        line.close()


class Change(NamedTuple):
    """A request that changes an account, and the status of its repetition after a crash before and after the write."""

    method: str
    path: str
    body: Any
    before: int
    after: int


NEW_PASSWORD = {"current_password": PASSWORD, "new_password": "amber-lantern-77"}
NEW_ADDRESS = {"email": "{name}@new.example", "current_password": PASSWORD}
FORGOTTEN = {"email": "{name}@old.example"}
RESET = {"token": "reset {name}", "new_password": "amber-lantern-77"}
CHANGES = {
    "register_user": Change("POST", "/register", {"username": "{fresh}", "password": PASSWORD}, 201, 201),
    "register": Change("POST", "/register", {"username": "{fresh}", "password": PASSWORD}, 201, 409),
    "open_session": Change("POST", "/login", {"username": "{name}", "password": PASSWORD}, 200, 200),
    "sign_in": Change("POST", "/login", {"username": "{name}", "password": PASSWORD}, 200, 200),
    "upgrade_password_hash": Change("POST", "/login", {"username": "{name}", "password": PASSWORD}, 200, 200),
    "sign_out": Change("POST", "/logout", None, 204, 401),
    "end_session": Change("DELETE", "/sessions/{other}", None, 204, 404),
    "end_other_sessions": Change("DELETE", "/sessions", None, 204, 204),
    "change_profile": Change("PATCH", "/profile", {"name": "Rosa"}, 200, 200),
    # one transaction: nothing is written until it is committed
    "set_password": Change("POST", "/profile/password", NEW_PASSWORD, 204, 204),
    "drop_reset_tokens": Change("POST", "/profile/password", NEW_PASSWORD, 204, 204),
    "end_sessions_of_old_password": Change("POST", "/profile/password", NEW_PASSWORD, 204, 204),
    "change_password": Change("POST", "/profile/password", NEW_PASSWORD, 204, 403),
    "note_old_address": Change("PATCH", "/profile", NEW_ADDRESS, 200, 200),
    "change_email": Change("PATCH", "/profile", NEW_ADDRESS, 200, 200),
    "ask_to_confirm": Change("POST", "/email/verification", None, 202, 202),
    "confirm_email": Change("POST", "/email/verification/confirm", {"token": "confirm {name}"}, 204, 400),
    "note_forgotten_password": Change("POST", "/password/forgotten", FORGOTTEN, 202, 202),
    "forget_password": Change("POST", "/password/forgotten", FORGOTTEN, 202, 202),
    "drop_mail_tokens": Change("POST", "/password/reset", RESET, 204, 204),
    "drop_passkeys_after_reset": Change("POST", "/password/reset", RESET, 204, 204),
    "reset_password": Change("POST", "/password/reset", RESET, 204, 204),
}


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.ACCOUNT))
def test_an_account_is_changed_once_after_a_crash_at(point: str, environment: Environment) -> None:
    name, _, moment = point.partition(".")
    change, username = CHANGES[name], point.replace(".", "-")
    customer = bearer(open_session(environment.shop, username))
    other = session_id(open_session(environment.shop, username))
    make_hash_outdated(environment, username)
    give_address(environment, username, is_verified=name in {"note_old_address", "change_email"})
    fresh = f"fresh-{username}"
    body = change.body and {
        member: text.replace("{name}", username).replace("{fresh}", fresh) for member, text in change.body.items()
    }
    errand: Errand = (change.method, change.path.replace("{other}", other), body, customer)

    armed = environment.arm(point)
    line = Line([environment.shop.user.port])
    with pytest.raises(Unanswered):
        line.ask(*errand)
    assert not armed.exists()
    crashed_at = time.monotonic()
    again = insist(environment, line, errand)
    line.close()

    # The statement and the transaction of a reset have one name: only what is committed is not done again.
    once = 400 if point == "reset_password.committed" else change.after
    assert again.status == (change.before if moment == "before" else once)
    with psycopg.connect(environment.shop.user.database_url) as connection:
        assert connection.execute(TWO_WAYS_ON).fetchall() == []
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))


def personal_data(environment: Environment, user_id: str) -> int:
    with psycopg.connect(environment.shop.order.database_url) as connection:
        row = connection.execute(PERSONAL, (user_id,)).fetchone()
    return int(row[0]) if row else -1


def session_id(tokens: dict[str, str]) -> str:
    claims = tokens["token"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["sid"])


def make_hash_outdated(environment: Environment, username: str) -> None:
    """Store a hash with old parameters, which the next login renews."""
    outdated = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with psycopg.connect(environment.shop.user.database_url) as connection:
        connection.execute("UPDATE users SET password_hash = %s WHERE username = %s", (outdated, username))


def give_address(environment: Environment, username: str, *, is_verified: bool) -> None:
    """Store an address and the digests of two tokens that a mail to it would carry."""
    email = f"{username}@old.example"
    with psycopg.connect(environment.shop.user.database_url) as connection:
        connection.execute("UPDATE users SET email = %s, email_key = %s WHERE username = %s", (email, email, username))
        if is_verified:
            connection.execute("UPDATE users SET email_verified_at = now() WHERE username = %s", (username,))
        connection.execute(GIVE_TOKENS, {"username": username})
