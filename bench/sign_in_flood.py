"""How long GET /healthz and GET /profile take while wrong logins flood in: `.venv/bin/python bench/sign_in_flood.py`.

A shop of its own on loopback, wrong passwords for ever new accounts (so that each is hashed, none throttled), and a
paced client that notes its latencies before and during the flood. RATE logins a second, SECONDS for each phase.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import threading
import time
from collections import Counter
from http.client import HTTPConnection
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from statistics import quantiles

from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

RATE = int(os.environ.get("RATE", "50"))
SECONDS = float(os.environ.get("SECONDS", "15"))
ATTACKERS = 16
PACE = 0.01  # seconds between two reads
ACCOUNT = {"username": "grace", "password": "amber-lighthouse-7"}
HEADERS = {"Content-Type": "application/json"}


def post(connection: HTTPConnection, path: str, body: dict[str, str]) -> tuple[int, bytes]:
    connection.request("POST", path, json.dumps(body), HEADERS)
    answer = connection.getresponse()
    return answer.status, answer.read()


def flood(port: int, stop: Event, outcome: Queue[Counter[int]]) -> None:
    """Send RATE wrong logins a second, from as many connections as it takes; report the statuses."""
    statuses: Counter[int] = Counter()
    begun, numbers = time.monotonic(), itertools.count()

    def attack() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        while not stop.is_set():
            number = next(numbers)
            time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
            status, _ = post(connection, "/login", {"username": f"victim{number}", "password": "wrong horse"})
            statuses[status] += 1

    attackers = [threading.Thread(target=attack) for _ in range(ATTACKERS)]
    for attacker in attackers:
        attacker.start()
    for attacker in attackers:
        attacker.join()
    outcome.put(statuses)


def read(port: int, paths: dict[str, dict[str, str]]) -> dict[str, list[float]]:
    """Read each path in turn for SECONDS; return the latencies in milliseconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    latencies: dict[str, list[float]] = {path: [] for path in paths}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for path, headers in paths.items():
            begun = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            latencies[path].append((time.perf_counter() - begun) * 1000)
            assert answer.status == 200, (path, answer.status)  # noqa: S101 - a benchmark of refusals is none
            time.sleep(PACE)
    return latencies


def show(phase: str, latencies: dict[str, list[float]]) -> None:
    for path, taken in latencies.items():
        cuts = quantiles(taken, n=100)
        print(f"{phase:<14} GET {path:<9} {len(taken):>6} reads   p50 {cuts[49]:>7.2f} ms   p99 {cuts[98]:>7.2f} ms")


def measure(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    post(connection, "/register", ACCOUNT)
    token = json.loads(post(connection, "/login", ACCOUNT)[1])["token"]
    paths = {"/healthz": {}, "/profile": {"Authorization": f"Bearer {token}"}}
    read(port, paths)  # warms up
    show("idle", read(port, paths))
    stop = multiprocessing.Event()
    outcome: Queue[Counter[int]] = multiprocessing.Queue()
    attacker = multiprocessing.Process(target=flood, args=(port, stop, outcome))
    attacker.start()
    show(f"{RATE} logins/s", read(port, paths))
    stop.set()
    statuses = outcome.get()
    attacker.join()
    answered = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    print(f"{'':<14} logins answered: {answered} ({statuses.total() / SECONDS:.0f}/s)")


def main() -> None:
    user, order = free_ports()
    environment = {"RATE_LIMIT_PER_ADDRESS": "1000000", "LOG_LEVEL": "WARNING"}
    with fresh_folder() as data, Shop(data, user_port=user, order_port=order, environment=environment):
        measure(user)


if __name__ == "__main__":
    main()
