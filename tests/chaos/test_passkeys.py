"""Crash before and after each write about passkeys: it happens once or not at all."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from authenticator import Authenticator

from chaos import failpoints
from chaos.environment import PASSWORD, Environment, open_session
from chaos.failpoints import Deed
from chaos.report import Outcome

HOME = "/account/passkeys"
COUNTS = """
SELECT (SELECT count(*) FROM passkeys WHERE user_id = users.id) AS passkeys,
    (SELECT count(*) FROM sessions WHERE user_id = users.id) AS sessions
FROM users WHERE username = %s
"""


class Change(NamedTuple):
    """A request, the status of its repetition after a crash before and after the commit, and what it adds."""

    action: str
    before: int
    after: int
    passkeys: int = 0
    sessions: int = 0


ADD = Change("add", 200, 409, passkeys=1)
SIGN_IN = Change("sign-in", 200, 409, sessions=1)
CHANGES = {
    "rename_passkey": Change("name", 303, 303),
    "remove_passkey": Change("remove", 303, 404, passkeys=-1),
    "use_challenge": ADD,
    "store_passkey": ADD,
    "add_passkey": ADD,
    "use_passkey": SIGN_IN,
    "sign_in_with_passkey": SIGN_IN,
}


class Customer:
    """A customer's browser on the account pages, with one passkey."""

    def __init__(self, environment: Environment, username: str) -> None:
        open_session(environment.shop, username)
        origin = f"http://localhost:{environment.shop.user.port}"
        self.origin, self.passkey = origin, Authenticator(origin)
        headers = {"Origin": origin, "Accept": "application/json"}
        self.http = httpx.Client(base_url=origin, headers=headers, timeout=15)
        self.http.post("/account/sign-in", data={"username": username, "password": PASSWORD})
        self.http.post(**self.adding(self.passkey)).raise_for_status()

    def request(self, action: str) -> dict[str, Any]:
        """Return the request of this action; the same one may be sent twice."""
        if action == "add":
            return self.adding(Authenticator(self.origin))
        if action == "sign-in":
            options = self.http.post(f"{HOME}/sign-in/options").json()
            return {"url": f"{HOME}/sign-in", "json": {"credential": self.passkey.get(options)}}
        sent = {"name": {"name": "Renamed"}, "remove": {"current_password": PASSWORD}}[action]
        return {"url": f"{HOME}/{self.passkey.id}/{action}", "data": sent}

    def adding(self, passkey: Authenticator) -> dict[str, Any]:
        form = {"name": "Phone", "current_password": PASSWORD}
        options = self.http.post(f"{HOME}/options", data=form).raise_for_status().json()
        return {"url": f"{HOME}/add", "json": {"name": "Phone", "credential": passkey.create(options)}}


def insist(environment: Environment, http: httpx.Client, request: dict[str, Any]) -> httpx.Response:
    """Repeat a request until the answer is not 503; restart ended servers meanwhile."""
    while True:
        try:
            answer = http.post(**request)
            if answer.status_code != 503:
                return answer
        except httpx.TransportError:
            pass
        environment.tend(0.1)


def counts(environment: Environment, username: str) -> tuple[int, int]:
    with psycopg.connect(environment.shop.user.database_url) as connection:
        row = connection.execute(COUNTS, (username,)).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.budget(80)
@pytest.mark.parametrize("point", failpoints.of(Deed.PASSKEY))
def test_a_passkey_is_changed_once_after_a_crash_at(point: str, environment: Environment) -> None:
    # given a request
    name, _, moment = point.partition(".")
    change, username = CHANGES[name], point.replace(".", "-")
    customer = Customer(environment, username)
    request = customer.request(change.action)
    passkeys, sessions = counts(environment, username)

    # when the server crashes while it serves it
    armed = environment.arm(point)
    with pytest.raises(httpx.TransportError):
        customer.http.post(**request)
    assert not armed.exists()
    crashed_at = time.monotonic()
    again = insist(environment, customer.http, request)
    customer.http.close()

    # then its repetition finds it done or not done, and it is done once
    committed = moment == "committed" or (name in failpoints.ALONE and moment == "after")
    assert again.status_code == (change.after if committed else change.before)
    assert counts(environment, username) == (passkeys + change.passkeys, sessions + change.sessions)
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))
