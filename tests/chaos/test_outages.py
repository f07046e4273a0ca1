"""An outage of user-service for a minute, and repeated key rotations."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import pytest

from chaos.auth_wiring import rotate
from chaos.environment import Environment, bearer, open_session
from chaos.load import Load
from chaos.wire import Line, Unanswered

OUTAGE_SECONDS = 60
ROTATIONS = 20
SECONDS_BETWEEN_ROTATIONS = 2.5  # order-service asks for unknown keys once a second at most


def refused(environment: Environment, who: dict[str, str]) -> bool:
    """Tell whether order-service refuses this caller on ten connections."""
    for _ in range(10):
        line = Line(environment.ports)
        status = line.ask("GET", "/orders", None, who).status
        line.close()
        if status != 401:
            return False
    return True


@pytest.mark.budget(240)
def test_orders_continue_and_ended_sessions_stay_ended_in_an_outage(environment: Environment) -> None:
    invariants = environment.invariants()
    gone = bearer(open_session(environment.shop, "leaver"))
    httpx.post(f"{environment.shop.user.url}/logout", headers=gone).raise_for_status()
    environment.tend_until(lambda: refused(environment, gone), patience=10)

    with environment.load(8) as load:
        environment.shop.user.kill()
        began = time.monotonic()
        let_in, silences = 0, []
        while time.monotonic() < began + OUTAGE_SECONDS:
            before = len(load.acknowledged)
            time.sleep(5)
            silences.append(len(load.acknowledged) == before)
            let_in += not refused(environment, gone)
        environment.mark()
        environment.settle()
        environment.tend(2)

    assert let_in == 0
    assert not any(silences)
    assert {heard.status for heard in load.heard} <= {200, 201}
    assert refused(environment, gone)
    environment.close(f"user-service gone for {OUTAGE_SECONDS} s", invariants, load)


class Refreshers:
    """Customers that refresh tokens continuously and use each at both services."""

    def __init__(self, environment: Environment, number: int) -> None:
        self.sent = 0
        self.wrong: list[str] = []
        self._environment = environment
        self._over = threading.Event()
        sessions = [open_session(environment.shop, f"refresher{place}") for place in range(number)]
        self._threads = [threading.Thread(target=self._run, args=(session,)) for session in sessions]

    def __enter__(self) -> Refreshers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, session: dict[str, str]) -> None:
        users, orders = Line([self._environment.shop.user.port]), Line(self._environment.ports)
        while not self._over.wait(0.4) and not self.wrong:
            try:
                session = self._refresh(users, session)
                self._use(users, "/profile", session)
                self._use(orders, "/orders?limit=1", session)
            except Unanswered as failure:
                self.wrong.append(repr(failure))
        users.close()
        orders.close()

    def _refresh(self, line: Line, session: dict[str, str]) -> dict[str, str]:
        self.sent += 1
        answer = line.ask("POST", "/token/refresh", {"refresh_token": session["refresh_token"]})
        if answer.status == 429:
            return session
        self._expect(answer.status, "/token/refresh")
        refreshed: dict[str, str] = answer.json
        return refreshed

    def _use(self, line: Line, path: str, session: dict[str, str]) -> None:
        self.sent += 1
        self._expect(line.ask("GET", path, None, bearer(session)).status, path)

    def _expect(self, status: int, path: str) -> None:
        if status != 200:
            self.wrong.append(f"{path}: {status}")


@pytest.mark.budget(180)
def test_twenty_key_rotations_under_load_cause_no_wrong_401(environment: Environment) -> None:
    invariants = environment.invariants()
    key_file = Path(environment.setting("TOKEN_KEYS_FILE"))
    with Refreshers(environment, 4) as refreshers, environment.load(4) as load:
        for _ in range(ROTATIONS):
            rotate(key_file)
            environment.tend(SECONDS_BETWEEN_ROTATIONS)

    assert refreshers.wrong == []
    assert statuses(load) <= {200, 201}
    assert refreshers.sent > ROTATIONS
    outcome = environment.close(f"{ROTATIONS} key rotations", invariants, load)
    environment.outcomes[-1] = outcome._replace(sent=outcome.sent + refreshers.sent)


def statuses(load: Load) -> set[int]:
    return {heard.status for heard in load.heard}
