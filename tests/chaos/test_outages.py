"""user-service away for a minute, and its keys changed again and again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import pytest

from chaos.buyers import Buyers
from chaos.trust import rotate
from chaos.wire import Line, Unanswered
from chaos.world import World, bearer, open_session

OUTAGE_SECONDS = 60
ROTATIONS = 20


def refused(world: World, who: dict[str, str]) -> bool:
    """Tell whether every worker of order-service refuses this caller, as far as ten connections can tell."""
    for _ in range(10):
        line = Line(world.ports)
        status = line.ask("GET", "/orders", None, who).status
        line.hang_up()
        if status != 401:
            return False
    return True


@pytest.mark.budget(120)
def test_orders_go_on_without_user_service_and_ended_sessions_stay_ended(world: World) -> None:
    books = world.books()
    gone = bearer(open_session(world.shop, "leaver"))
    httpx.post(f"{world.shop.user.url}/logout", headers=gone).raise_for_status()
    world.tend_until(lambda: refused(world, gone), patience=10)

    with world.buyers(8) as buyers:
        world.shop.user.kill()
        began = time.monotonic()
        let_in, silences = 0, []
        while time.monotonic() < began + OUTAGE_SECONDS:
            before = len(buyers.acknowledged)
            time.sleep(5)
            silences.append(len(buyers.acknowledged) == before)
            let_in += not refused(world, gone)
        world.mark()
        world.settle()
        world.tend(2)

    assert let_in == 0
    assert not any(silences)
    assert {heard.status for heard in buyers.heard} <= {200, 201}
    assert refused(world, gone)
    world.close(f"user-service gone for {OUTAGE_SECONDS} s", books, buyers)


class Refreshers:
    """Customers who fetch new tokens all the time and use each at once, at both services."""

    def __init__(self, world: World, number: int) -> None:
        self.sent = 0
        self.wrong: list[str] = []
        self._world = world
        self._over = threading.Event()
        sessions = [open_session(world.shop, f"refresher{place}") for place in range(number)]
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
        users, orders = Line([self._world.shop.user.port]), Line(self._world.ports)
        while not self._over.wait(0.4) and not self.wrong:
            try:
                session = self._refresh(users, session)
                self._use(users, "/profile", session)
                self._use(orders, "/orders?limit=1", session)
            except Unanswered as failure:
                self.wrong.append(repr(failure))
        users.hang_up()
        orders.hang_up()

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


@pytest.mark.budget(90)
def test_twenty_key_rotations_under_load_cause_not_one_wrong_401(world: World) -> None:
    books = world.books()
    key_file = Path(world.setting("TOKEN_KEYS_FILE"))
    with Refreshers(world, 4) as refreshers, world.buyers(4) as buyers:
        for _ in range(ROTATIONS):
            rotate(key_file)
            world.tend(1)

    assert refreshers.wrong == []
    assert statuses(buyers) <= {200, 201}
    assert refreshers.sent > ROTATIONS
    outcome = world.close(f"{ROTATIONS} key rotations", books, buyers)
    world.outcomes[-1] = outcome._replace(sent=outcome.sent + refreshers.sent)


def statuses(buyers: Buyers) -> set[int]:
    return {heard.status for heard in buyers.heard}
