"""A flood of wrong passwords, at a real server with few threads: sign-ins wait or are refused, the rest goes on."""

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

from chassis.testing import migrated_database
from localshop.service import Service
from localshop.testing import free_ports
from user_service import MIGRATIONS

ATTACKERS = 16
READS = 10


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    environment = {"THREADS": "4", "RATE_LIMIT_PER_ADDRESS": "1000000", "LOG_LEVEL": "WARNING"}
    with migrated_database("flood", MIGRATIONS) as url:
        port, log = free_ports()[0], tmp_path / "user.log"
        service = Service("user-service", port=port, database_url=url, log=log, environment=environment)
        try:
            service.start()
            yield service
        finally:
            service.stop()


def test_while_every_place_for_hashing_is_taken_the_service_answers_and_refuses_what_is_too_much(
    service: Service,
) -> None:
    # given
    account = {"username": "grace", "password": "amber-lighthouse-7"}
    httpx.post(f"{service.url}/register", json=account).raise_for_status()
    token = httpx.post(f"{service.url}/login", json=account).raise_for_status().json()["token"]
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


def test_the_server_does_not_name_itself(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        head = b"".join(iter(lambda: connection.recv(4096), b"")).partition(b"\r\n\r\n")[0].decode().lower()
    servers = [line.partition(":")[2].strip() for line in head.splitlines() if line.startswith("server:")]
    assert servers == [""]
    assert "granian" not in head
