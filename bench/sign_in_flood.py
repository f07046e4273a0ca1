"""How long GET /healthz and GET /profile take while wrong logins flood in: `.venv/bin/python bench/sign_in_flood.py`.

A shop of its own on loopback, throttled as it is shipped; three attackers (ATTACKS), each for SECONDS, ROUNDS times
over, and as long without one before each; a paced client that notes its latencies. RATE logins a second.

Where Linux makes every session a group for its scheduler (kernel.sched_autogroup_enabled), client, service and each
PostgreSQL process are strangers to each other, as containers on one machine are.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from statistics import quantiles

from localshop.shop import Shop
from localshop.testing import free_ports, fresh_folder

RATE = int(os.environ.get("RATE", "50"))
SECONDS = float(os.environ.get("SECONDS", "12"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CONNECTIONS = 16
PACE = 0.01  # seconds between two reads
ACCOUNT = {"username": "grace", "password": "amber-lighthouse-7"}
HEADERS = {"Content-Type": "application/json"}
QUIET = "no attack"

Latencies = dict[str, list[float]]


def address(number: int) -> str:
    return f"198.{18 + number % 2}.{number // 2 % 256}.{number // 512 % 256}"  # 198.18.0.0/15 is for benchmarks


# Address and account of an attempt, by its number, which no other round uses.
ATTACKS: dict[str, Callable[[int], tuple[str, str]]] = {
    "one address, new accounts": lambda number: ("203.0.113.7", f"victim{number}"),
    "one account, new addresses": lambda number: (address(number), "grace"),
    "new addresses and accounts": lambda number: (address(number), f"stranger{number}"),
}


def post(connection: HTTPConnection, path: str, body: dict[str, str], **headers: str) -> tuple[int, bytes]:
    connection.request("POST", path, json.dumps(body), HEADERS | headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def flood(port: int, attack: str, first: int, stop: Event, outcome: Queue[Counter[int]]) -> None:
    """Send RATE wrong logins a second, from as many connections as it takes; report the statuses."""
    statuses: Counter[int] = Counter()
    begun, numbers = time.monotonic(), itertools.count()

    def guess() -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        while not stop.is_set():
            number = next(numbers)
            time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
            peer, account = ATTACKS[attack](first + number)
            wrong = {"username": account, "password": "wrong horse"}
            status, _ = post(connection, "/login", wrong, **{"X-Forwarded-For": peer})
            statuses[status] += 1

    guessing = [threading.Thread(target=guess) for _ in range(CONNECTIONS)]
    for thread in guessing:
        thread.start()
    for thread in guessing:
        thread.join()
    outcome.put(statuses)


@contextmanager
def attacked(port: int, attack: str, first: int, statuses: Counter[int]) -> Iterator[None]:
    """Let a process of its own attack meanwhile; add up what it was answered."""
    stop = multiprocessing.Event()
    outcome: Queue[Counter[int]] = multiprocessing.Queue()
    attacker = multiprocessing.Process(target=flood, args=(port, attack, first, stop, outcome), daemon=True)
    attacker.start()
    try:
        yield
    finally:
        stop.set()
        statuses += outcome.get()
        attacker.join()


def read(port: int, paths: dict[str, dict[str, str]]) -> Iterator[tuple[str, float]]:
    """Read each path in turn for SECONDS; yield path and latency in milliseconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for path, headers in paths.items():
            begun = time.perf_counter()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            yield path, (time.perf_counter() - begun) * 1000
            assert answer.status == 200, (path, answer.status)  # noqa: S101 - a benchmark of refusals is none
            time.sleep(PACE)


def measure(port: int) -> tuple[dict[str, Latencies], dict[str, Counter[int]]]:
    """Return the latencies by phase and path, and the statuses of each attack's logins."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    post(connection, "/register", ACCOUNT)
    token = json.loads(post(connection, "/login", ACCOUNT)[1])["token"]
    paths = {"/healthz": {}, "/profile": {"Authorization": f"Bearer {token}"}}
    latencies: dict[str, Latencies] = defaultdict(lambda: defaultdict(list))
    statuses: dict[str, Counter[int]] = {attack: Counter() for attack in ATTACKS}

    def note(phase: str) -> None:
        for path, taken in read(port, paths):
            latencies[phase][path].append(taken)

    note("warm-up")
    for number, attack in itertools.product(range(ROUNDS), ATTACKS):
        print(f"round {number + 1} of {ROUNDS}: {attack}", flush=True)
        note(QUIET)
        with attacked(port, attack, number * 1_000_000, statuses[attack]):
            note(attack)
    return latencies, statuses


def table(latencies: dict[str, Latencies], statuses: dict[str, Counter[int]]) -> Iterator[str]:
    yield f"| {RATE} wrong logins a second | reads | p50 ms | p99 ms | p99 to idle | logins answered |"
    yield "|---|---|---|---|---|---|"
    for path in ("/healthz", "/profile"):
        idle = quantiles(latencies[QUIET][path], n=100)[98]
        for phase in (QUIET, *ATTACKS):
            taken = latencies[phase][path]
            cuts = quantiles(taken, n=100)
            answered = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.get(phase, {}).items()))
            figures = f"{len(taken)} | {cuts[49]:.2f} | {cuts[98]:.2f} | {cuts[98] / idle:.1f}"
            yield f"| `GET {path}`, {phase} | {figures} | {answered} |"


def main() -> None:
    user, order = free_ports()
    environment = {"TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "WARNING"}
    with fresh_folder() as data, Shop(data, user_port=user, order_port=order, environment=environment):
        print("\n".join(table(*measure(user))))


if __name__ == "__main__":
    main()
