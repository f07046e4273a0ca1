"""The profile `scale`: three instances of each service behind the balancer."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
from containers.engine import Stack, answers, docker, eventually, sign_in

BUYERS = 16
UNITS = 20
MOST_IN_AN_ORDER = 100
INSTANCE = re.compile(r"(?:user|order)-service/\w+")


def served_by(stack: Stack, path: str) -> Counter[str]:
    """Count the balancer's requests for a path by the instance that took them."""
    lines = stack.compose("logs", "--no-log-prefix", "balancer").splitlines()
    return Counter(INSTANCE.findall(line)[0] for line in lines if f"GET {path} " in line)


def test_every_instance_takes_its_turn_and_accepts_the_others_tokens(scaled: Stack) -> None:
    eventually(lambda: answers(f"{scaled.balanced_user}/readyz"), "the balancer knows user-service")
    eventually(lambda: answers(f"{scaled.balanced_order}/readyz"), "the balancer knows order-service")
    alice = sign_in(scaled.balanced_user, "alice")

    def asked_all() -> bool:
        assert httpx.get(f"{scaled.balanced_order}/orders", headers=alice).status_code == 200
        return len(served_by(scaled, "/orders")) == 3

    eventually(asked_all, "three instances answered")
    assert set(served_by(scaled, "/orders")) == {f"order-service/order{number}" for number in (1, 2, 3)}


def order(stack: Stack, customer: dict[str, str], units: int) -> int:
    body = {"items": [{"product_id": "p2", "qty": units}]}
    return httpx.post(f"{stack.balanced_order}/orders", json=body, headers=customer, timeout=30).status_code


def test_many_buyers_over_three_instances_never_buy_more_than_there_is(scaled: Stack) -> None:
    alice = sign_in(scaled.balanced_user, "alice")
    while (surplus := httpx.get(f"{scaled.balanced_order}/products/p2").json()["available"] - UNITS) > 0:
        assert order(scaled, alice, min(surplus, MOST_IN_AN_ORDER)) == 201

    with ThreadPoolExecutor(BUYERS) as buyers:
        outcome = Counter(buyers.map(lambda _: order(scaled, alice, 1), range(64)))

    assert outcome == {201: UNITS, 409: 64 - UNITS}


def test_stopping_an_instance_under_load_fails_no_request(scaled: Stack) -> None:
    with ThreadPoolExecutor(1) as other, httpx.Client(base_url=scaled.balanced_order) as http:
        stopping = other.submit(docker, "stop", f"{scaled.name}-order-replica-1")
        statuses = Counter[int]()
        while not stopping.done():
            statuses[http.get("/products?limit=3").status_code] += 1

    assert statuses.keys() == {200}
    assert statuses[200] > 20
    assert scaled.containers()["order-replica-1"]["State"]["ExitCode"] == 0


def test_the_shop_goes_on_without_an_instance_that_was_killed(scaled: Stack) -> None:
    docker("kill", f"{scaled.name}-user-replica-1", f"{scaled.name}-user-service-1")

    ready = f"{scaled.balanced_user}/readyz"
    eventually(lambda: all(answers(ready) for _ in range(30)), "the third answers every time")
    assert sign_in(scaled.balanced_user, "dave")
