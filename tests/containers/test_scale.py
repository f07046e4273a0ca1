"""The profile `scale`: three instances of each service behind the proxy."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
from containers.engine import Stack, answers, docker, eventually, sign_in

INSTANCE = re.compile(r"(?:user|order)-service/\w+")


def served_by(stack: Stack, path: str) -> Counter[str]:
    """Count the proxy's requests for a path by instance."""
    lines = stack.compose("logs", "--no-log-prefix", "proxy").splitlines()
    return Counter(INSTANCE.findall(line)[0] for line in lines if f"GET {path} " in line)


def test_every_instance_serves_and_accepts_tokens_of_the_others(scaled: Stack) -> None:
    alice = sign_in(scaled.user, "alice")

    def asked_all() -> bool:
        assert httpx.get(f"{scaled.order}/orders", headers=alice).status_code == 200
        return len(served_by(scaled, "/orders")) == 3

    eventually(asked_all, "three instances answered")
    assert set(served_by(scaled, "/orders")) == {f"order-service/order{number}" for number in (1, 2, 3)}


def test_stopping_an_instance_under_load_fails_no_request(scaled: Stack) -> None:
    with ThreadPoolExecutor(1) as other, httpx.Client(base_url=scaled.order) as http:
        stopping = other.submit(docker, "stop", f"{scaled.name}-order-replica-1")
        statuses = Counter[int]()
        while not stopping.done():
            statuses[http.get("/products?limit=3").status_code] += 1

    assert statuses.keys() == {200}
    assert statuses[200] > 20
    assert scaled.containers()["order-replica-1"]["State"]["ExitCode"] == 0


def test_requests_go_to_the_third_instance_when_two_are_killed(scaled: Stack) -> None:
    docker("kill", f"{scaled.name}-user-replica-1", f"{scaled.name}-user-service-1")

    ready = f"{scaled.user}/readyz"
    eventually(lambda: all(answers(ready) for _ in range(30)), "the third answers every time")
    assert sign_in(scaled.user, "dave")
