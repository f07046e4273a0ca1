"""Saved addresses are asked for without holding up the shop."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from chassis.service_client import ServiceCallFailed, ServiceCallRefused, ServiceClient
from order_service.orders import saved_address
from order_service.orders.saved_address import MOST_WAITING, NOTHING, PAUSE_SECONDS, SECONDS, Saved, SavedAddresses

ADDRESS = {"street": "Weg 1", "city": "Bonn", "country": "DE"}
KNOWN = Saved(ADDRESS, "ada@example.com")


class UserService:
    """Stands in for user-service: answers, raises, or waits until it is released."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.calls, self.email = failure, 0, "ada@example.com"
        self.released = Event()
        self.released.set()

    def get(self, _path: str, **_: str) -> dict[str, Any]:
        self.calls += 1
        assert self.released.wait(10)
        if self.failure:
            raise self.failure
        return {"shipping_address": ADDRESS, "email": self.email}


def addresses(service: UserService) -> SavedAddresses:
    return SavedAddresses(service)  # type: ignore[arg-type]


def test_more_callers_than_may_wait_do_without_an_address() -> None:
    service = UserService()
    saved = addresses(service)
    service.released.clear()
    with ThreadPoolExecutor(MOST_WAITING) as waiting:
        held = [waiting.submit(saved.get, "token") for _ in range(MOST_WAITING)]
        while service.calls < MOST_WAITING:
            time.sleep(0.001)
        assert saved.get("token") == NOTHING
        service.released.set()
        assert all(future.result() == KNOWN for future in held)
    assert service.calls == MOST_WAITING
    assert saved.get("token") == KNOWN


def test_after_a_failure_user_service_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(saved_address, "monotonic", lambda: now[0])
    service = UserService(ServiceCallFailed("no answer"))
    saved = addresses(service)
    assert [saved.get("token"), saved.get("token")] == [NOTHING, NOTHING]
    service.failure = None
    now[0] += PAUSE_SECONDS - 0.1
    assert (saved.get("token"), service.calls) == (NOTHING, 1)
    now[0] += 0.1
    assert saved.get("token") == KNOWN


def test_a_refused_token_is_no_failure_for_others() -> None:
    service = UserService(ServiceCallRefused("401"))
    saved = addresses(service)
    assert saved.get("ended") == NOTHING
    service.failure = None
    assert saved.get("token") == KNOWN


def test_a_hanging_user_service_is_asked_once_and_briefly() -> None:
    requests, over = list[str](), Event()

    class Hanging(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            over.wait(10)

    with ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as server:
        Thread(target=server.serve_forever).start()
        client = ServiceClient(f"http://127.0.0.1:{server.server_port}", "credential", attempt_seconds=SECONDS)
        before = time.monotonic()
        assert SavedAddresses(client).get("token") == NOTHING
        took = time.monotonic() - before
        over.set()
        server.shutdown()
    assert requests == ["/profile"]
    assert took < 1


@pytest.mark.parametrize(("status", "refused"), [(401, True), (429, True), (500, False), (302, False)])
def test_a_call_is_refused_with_a_status_of_4xx(status: int, refused: bool) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"{}")

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever).start()
        client = ServiceClient(f"http://127.0.0.1:{server.server_port}", "credential", attempt_seconds=SECONDS)
        with pytest.raises(ServiceCallFailed) as raised:
            client.get("/profile")
        server.shutdown()
    assert isinstance(raised.value, ServiceCallRefused) == refused


@pytest.mark.parametrize("email", [None, "", "nobody", 7, [], "a@b\x00.example"])
def test_what_is_no_email_is_left_out(email: Any) -> None:
    service = UserService()
    service.email = email
    assert addresses(service).get("token") == Saved(ADDRESS, None)
