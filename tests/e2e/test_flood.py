"""A flood of wrong passwords at a real server delays or refuses logins only."""

from __future__ import annotations

import itertools
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest

from chassis.testing.postgres import migrated_database
from localshop.service import Service
from localshop.testing import free_ports
from user_service import MIGRATIONS

ATTACKERS = 16
GUESSES = 100
READS = 10
ACCOUNT = {"username": "grace", "password": "amber-lighthouse-7"}
UNTHROTTLED = {"THREADS": "4", "RATE_LIMIT_PER_ADDRESS": "1000000"}


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    environment = {"LOG_LEVEL": "WARNING", **getattr(request, "param", {})}
    with migrated_database("flood", MIGRATIONS) as url:
        port, log = free_ports()[0], tmp_path / "user.log"
        service = Service("user-service", port=port, database_url=url, log=log, environment=environment)
        try:
            service.start()
            yield service
        finally:
            service.stop()


@pytest.mark.parametrize("service", [UNTHROTTLED], indirect=True)
def test_sign_ins_beyond_the_hashing_slots_get_503_and_others_go_on(
    service: Service,
) -> None:
    # given
    httpx.post(f"{service.url}/register", json=ACCOUNT).raise_for_status()
    token = httpx.post(f"{service.url}/login", json=ACCOUNT).raise_for_status().json()["token"]
    stop, numbers, refusals = Event(), itertools.count(), Counter[tuple[int, str | None]]()

    def attack() -> None:
        with httpx.Client(base_url=service.url, timeout=30) as attacker:
            while not stop.is_set():
                guess = {"username": f"victim{next(numbers)}", "password": "wrong horse"}
                answer = attacker.post("/login", json=guess)
                refusals[answer.status_code, answer.headers.get("Retry-After")] += 1

    # when more sign in at once than the server has threads
    with ThreadPoolExecutor(ATTACKERS) as attackers, httpx.Client(base_url=service.url, timeout=30) as reader:
        for _ in range(ATTACKERS):
            attackers.submit(attack)
        deadline = time.monotonic() + 20
        while not refusals[503, "1"] and time.monotonic() < deadline:
            time.sleep(0.01)
        reader.headers["Authorization"] = f"Bearer {token}"
        reads = [reader.get(path).status_code for _ in range(READS) for path in ("/healthz", "/profile")]
        stop.set()

    # then
    assert reads == [200] * 2 * READS
    assert set(refusals) == {(401, None), (503, "1")}


def test_many_guesses_at_once_from_one_address_are_soon_refused(
    service: Service,
) -> None:
    # given
    httpx.post(f"{service.url}/register", json=ACCOUNT).raise_for_status()
    signed_in = httpx.post(f"{service.url}/login", json=ACCOUNT).raise_for_status().json()
    on_known_device = ACCOUNT | {"device_token": signed_in["device_token"]}

    def attack(attacker: int) -> list[httpx.Response]:
        guesses = [{"username": f"victim{attacker}x{number}", "password": "wrong horse"} for number in range(GUESSES)]
        with httpx.Client(base_url=service.url, timeout=30) as client:
            return [client.post("/login", json=guess) for guess in guesses]

    # when
    with ThreadPoolExecutor(ATTACKERS) as attackers:
        answers = list(itertools.chain(*attackers.map(attack, range(ATTACKERS))))
    # then
    statuses = {answer.status_code for answer in answers}
    assert {401, 429} <= statuses <= {401, 429, 503}  # 503: no free hashing slot
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 429)
    hashed = sum(answer.status_code == 401 for answer in answers)
    assert hashed < 100  # the free failures, and a few concurrent ones after each delay
    assert httpx.post(f"{service.url}/login", json=on_known_device).status_code == 200


def test_server_does_not_name_itself(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        head = b"".join(iter(lambda: connection.recv(4096), b"")).partition(b"\r\n\r\n")[0].decode().lower()
    servers = [line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("server:")]
    assert servers == [""]
    assert "granian" not in head
