"""Crash before and after each write of second factors and of staff: it happens once or not at all."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from pyotp import TOTP

from chaos import failpoints
from chaos.environment import PASSWORD, Environment, bearer, open_session
from chaos.failpoints import Deed
from chaos.report import Outcome


class Change(NamedTuple):
    """A request, and the status of its repetition after a crash before and after the commit."""

    method: str
    path: str
    before: int
    after: int
    entries: int = 0  # that both leave in the audit


CUSTOMER = "/staff/customers/{user}"
OFFER = Change("POST", "/second-factor", 200, 200)
SIGN_IN = Change("POST", "/login", 200, 401)
SWITCH_ON = Change("POST", "/second-factor/confirm", 200, 409)
RENEW = Change("POST", "/second-factor/recovery-codes", 200, 403)
SWITCH_OFF = Change("DELETE", "/second-factor", 204, 409)
DISABLE = Change("POST", f"{CUSTOMER}/disable", 200, 200, entries=1)
CHANGES = {
    "offer_second_factor": OFFER,
    "use_code_of_app": SIGN_IN,
    "sign_in_with_second_factor": SIGN_IN,
    "prove_session": SWITCH_ON,
    "store_recovery_codes": SWITCH_ON,
    "forget_recovery_codes": SWITCH_ON,
    "switch_on_second_factor": SWITCH_ON,
    "use_recovery_code": RENEW,
    "renew_recovery_codes": RENEW,
    "unprove_sessions": SWITCH_OFF,
    "switch_off_second_factor": SWITCH_OFF,
    "disable_account": DISABLE,
    "end_sessions_of_user": DISABLE,
    "enable_account": Change("POST", f"{CUSTOMER}/enable", 200, 200, entries=1),
    # each of both has a mail sent
    "send_reset_mail": Change("POST", f"{CUSTOMER}/reset-mail", 202, 202, entries=2),
    "end_session_of_customer": Change("DELETE", f"{CUSTOMER}/sessions/{{session}}", 204, 404, entries=1),
    "end_sessions_of_customer": Change("DELETE", f"{CUSTOMER}/sessions", 204, 204, entries=1),
    "reset_second_factor_of_customer": Change("DELETE", f"{CUSTOMER}/second-factor", 204, 204, entries=1),
}
POINTS = sorted(set(failpoints.of(Deed.SECOND_FACTOR, Deed.STAFF)))


class Account:
    """A customer whose second factor is on, unless `offered` is all that it shall be; and one of the staff."""

    def __init__(self, environment: Environment, username: str, *, offered: bool) -> None:
        self.http = httpx.Client(base_url=environment.shop.user.url, timeout=15)
        self.username, self.customer = username, bearer(open_session(environment.shop, username))
        begun = self._post("/second-factor", {"password": PASSWORD}).json()
        self.app, self.codes = TOTP(begun["secret"]), [""]
        if not offered:
            confirmed = self._post("/second-factor/confirm", {"otp": self.app.now()})
            self.codes = confirmed.json()["recovery_codes"]
        open_session(environment.shop, f"staff-{username}")
        environment_sql(environment, "UPDATE users SET roles = '{staff}' WHERE username = %s", f"staff-{username}")
        self.staff = bearer(open_session(environment.shop, f"staff-{username}"))
        found = "SELECT user_id, sessions.id FROM sessions JOIN users ON users.id = user_id WHERE username = %s"
        self.user, self.session = environment_sql(environment, found, username)[0]

    def _post(self, path: str, body: dict[str, str]) -> httpx.Response:
        return self.http.post(path, json=body, headers=self.customer).raise_for_status()

    def request(self, change: Change) -> dict[str, Any]:
        """Return the request of this change; the same one may be sent twice."""
        url = change.path.format(user=self.user, session=self.session)
        if change.path.startswith("/staff"):
            return {"method": change.method, "url": url, "headers": self.staff}
        otp = self.app.at(time.time() + 30) if change == SIGN_IN else self.codes[0]
        bodies = {
            OFFER: {"password": PASSWORD},
            SIGN_IN: {"username": self.username, "password": PASSWORD, "otp": otp},
            SWITCH_ON: {"otp": self.app.now()},
        }
        body = bodies.get(change, {"password": PASSWORD, "otp": otp})
        return {"method": change.method, "url": url, "json": body, "headers": self.customer}


def environment_sql(environment: Environment, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(environment.shop.user.database_url) as connection:
        found = connection.execute(statement, parameters)
        return found.fetchall() if found.description else []


def insist(environment: Environment, http: httpx.Client, request: dict[str, Any]) -> httpx.Response:
    """Repeat a request until the answer is not 503; restart ended servers meanwhile."""
    while True:
        try:
            answer = http.request(**request)
            if answer.status_code != 503:
                return answer
        except httpx.TransportError:
            pass
        environment.tend(0.1)


@pytest.mark.budget(150)
@pytest.mark.parametrize("point", POINTS)
def test_a_second_factor_or_customer_is_changed_once_after_a_crash_at(point: str, environment: Environment) -> None:
    # given a request
    name, _, moment = point.partition(".")
    change, username = CHANGES[name], point.replace(".", "-")
    account = Account(environment, username, offered=change in {OFFER, SWITCH_ON})
    request = account.request(change)
    if name == "enable_account":
        account.http.post(f"/staff/customers/{account.user}/disable", headers=account.staff).raise_for_status()
    if name == "send_reset_mail":
        address = "UPDATE users SET email = 'a@example.com', email_key = 'a@example.com' WHERE username = %s"
        environment_sql(environment, address, username)
    audit = "SELECT count(*) FROM audit_entries WHERE subject = %s"
    entries = environment_sql(environment, audit, account.user)[0][0]

    # when the server crashes while it serves it
    armed = environment.arm(point)
    with pytest.raises(httpx.TransportError):
        account.http.request(**request)
    assert not armed.exists()
    crashed_at = time.monotonic()
    again = insist(environment, account.http, request)
    account.http.close()

    # then its repetition finds it done or not done, and it is done and noted once
    committed = moment == "committed" or (name in failpoints.ALONE and moment == "after")
    assert again.status_code == (change.after if committed else change.before)
    assert environment_sql(environment, audit, account.user)[0][0] == entries + change.entries
    environment.outcomes.append(Outcome(f"crash at {point}", 2, 1, 0, 0, time.monotonic() - crashed_at))
