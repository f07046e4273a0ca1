"""Payments, expiry and refunds: kill -9 between any two steps, and a provider that is away, slow or loses answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest

from chaos import failpoints
from chaos.environment import PRODUCTS, Environment, restock
from chaos.failpoints import Deed
from chaos.invariants import Invariants, compare
from chaos.paying import CONTACT, ID, PaidShop, Payers, paid_shop
from chaos.report import Outcome
from chaos.test_failpoints import insist
from chaos.test_webhooks import staff
from chaos.wire import Line, Unanswered

ROUNDS, SETTLE_EVERY = 50, 10
SCARCE = ["p6"]
STATEMENTS = sorted({point.partition(".")[0] for point in failpoints.of(Deed.PAY)})
OF_PAID = """
SELECT 'o-' || replace(id::text, '-', ''), status, paid_minor = total_minor, refunded_minor, unit_price_minor
FROM orders JOIN order_lines ON order_id = id
"""


@pytest.fixture(scope="module")
def shared_shop(shared_environment: Environment) -> Iterator[PaidShop]:
    shared_environment.settle()
    with paid_shop(shared_environment) as shop:
        yield shop


@pytest.fixture
def shop(shared_shop: PaidShop, environment: Environment) -> PaidShop:
    environment.settle()
    return shared_shop


class Story:
    """What customers and staff do, one step after the other; each request is repeated until it is answered."""

    def __init__(self, shop: PaidShop) -> None:
        self.shop, self.stripe = shop, shop.stripe
        self.line, self.customer = Line(shop.environment.ports), shop.environment.customers[0]
        self.staff = staff(shop.environment)

    def ask(self, method: str, path: str, body: Any = None, *, by: dict[str, str] | None = None, key: str = "") -> Any:
        """Send a request until it is answered, and return its status; 503 and 409 with Retry-After are no answers."""
        headers = (by or self.customer) | ({"Idempotency-Key": key} if key else {})
        while True:
            answer = insist(self.shop.environment, self.line, (method, path, body, headers))
            if "Retry-After" not in answer.headers:
                return answer
            self.shop.tend(0.1)

    def order(self) -> str:
        body = {"items": [{"product_id": "p1", "qty": 2}], **CONTACT}
        answer = self.ask("POST", "/orders", body, key=uuid4().hex)
        assert answer.status == 201, answer.body
        return str(answer.json["order_id"])

    def page(self, order_id: str) -> str:
        answer = self.ask("POST", f"/orders/{order_id}/payment")
        assert answer.status == 200, answer.body
        return str(answer.json["url"])

    def until(self, order_id: str, *states: str) -> None:
        """Wait until the order's payment is in one of these states."""
        deadline = time.monotonic() + 40
        while self.shop.run(f"SELECT payment_status FROM orders WHERE {ID}", [order_id])[0][0] not in states:
            assert time.monotonic() < deadline, f"{order_id} is not {states}"
            self.shop.hurry()
            self.shop.tend(0.1)

    def ships_and_refunds(self) -> None:
        order_id, by = self.order(), dict[str, Any](by=self.staff)
        assert self.stripe.pay(self.page(order_id))
        self.until(order_id, "paid")
        path, tracking = f"/admin/orders/{order_id}", {"carrier": "DHL", "tracking_number": "1"}
        refund = {"lines": [{"line": 1, "qty": 1}], "restock": True, "reason": "broken"}
        answers = [
            self.ask("PATCH", path, {"email": "new@example.com"}, **by),
            self.ask("POST", f"{path}/refunds", refund, **by, key="half"),
            self.ask("POST", f"{path}/ship", tracking, **by),
            self.ask("PUT", f"{path}/tracking", tracking | {"tracking_number": "2"}, **by),
            self.ask("POST", f"{path}/deliver", **by),
        ]
        assert [answer.status for answer in answers] == [200, 201, 200, 200, 200]

    def cancels(self) -> None:
        """Cancel by the customer, whose page is paid nevertheless, and by staff, after it was paid."""
        by_customer, by_staff = self.order(), self.order()
        urls = self.page(by_customer), self.page(by_staff)
        assert self.ask("POST", f"/orders/{by_customer}/cancel").status in {200, 409}  # 409: done before the crash
        self.stripe.pay(urls[0])
        assert self.stripe.pay(urls[1])
        self.until(by_staff, "paid")
        cancelled = self.ask("POST", f"/admin/orders/{by_staff}/cancel", {"reason": "sold out"}, by=self.staff)
        assert cancelled.status in {200, 409}

    def tries_again(self) -> None:
        """Fail to pay, pay too little, then pay."""
        order_id = self.order()
        self.stripe.fail(self.page(order_id))
        self.until(order_id, "failed")
        first = self.page(order_id)
        self.stripe.pay(first, amount=7)
        while (second := self.page(order_id)) == first:
            self.shop.tend(0.1)
        assert self.stripe.pay(second)
        self.until(order_id, "paid")

    def gives_up(self) -> None:
        self.page(self.order())
        self.order()


@pytest.mark.budget(120)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_cent_is_on_one_order_or_goes_back_after_crashes_at(statement: str, shop: PaidShop) -> None:
    invariants = Invariants(shop.worker.database_url)
    points = [point for point in failpoints.of(Deed.PAY) if point.partition(".")[0] == statement]
    story, orders = Story(shop), 0
    for point in points:
        armed = shop.environment.arm(point)
        for step in (story.ships_and_refunds, story.cancels, story.tries_again, story.gives_up):
            if armed.exists() or step == story.gives_up:
                step()
                orders += 1
        shop.run("UPDATE orders SET pay_until = now() - interval '1 second' WHERE payment_status = 'pending'")
        deadline = time.monotonic() + 40
        while armed.exists():
            assert time.monotonic() < deadline, f"nobody reached {point}"
            shop.hurry()
            shop.tend(0.2)
    crashed_at = time.monotonic()
    shop.settle()
    story.line.close()
    audit(shop, invariants)
    recovery = time.monotonic() - crashed_at
    shop.environment.outcomes.append(Outcome(f"{len(points)} crashes at {statement}", orders, orders, 0, 0, recovery))


def audit(shop: PaidShop, invariants: Invariants) -> None:
    """Audit the database after everything has settled, and what the provider saw."""
    with psycopg.connect(shop.worker.database_url) as connection:
        assert invariants.inconsistencies(connection) == []
    assert shop.environment.bugs() == []
    assert shop.bugs() == []
    assert shop.stripe.problems == []


def check_payers(shop: PaidShop, payers: Payers) -> tuple[int, int]:
    """Return how many orders or payments of a load are lost, and how many doubled."""
    payers.cancelled |= payers.left
    with psycopg.connect(shop.worker.database_url) as connection:
        lost, duplicated, findings = compare(connection, payers)
        kept = {order_id: row for order_id, *row in connection.execute(OF_PAID).fetchall()}
    assert findings[:20] == []
    for order_id, deed in payers.paid.items():
        status, is_paid, refunded, price = kept[order_id]
        lost += not (status == "placed" and is_paid)
        duplicated += refunded != (price if deed == "refund" else 0)
    return lost, duplicated


def worse(shop: PaidShop, number: int) -> None:
    """Kill -9 a process, PostgreSQL every tenth time; or let the provider fail for a while."""
    environment = shop.environment
    kills: list[Callable[[], object]] = [
        lambda: environment.random.choice(environment.shop.order.workers()).kill(),
        shop.worker.kill,
        environment.shop.order.kill,
        shop.worker.kill,
        environment.shop.postgres.kill if number % 10 == 9 and environment.shop.postgres else shop.worker.kill,
    ]
    shop.stripe.fault = lambda: environment.random.choice(["", "", "away", "lost"])
    with suppress(psutil.NoSuchProcess, IndexError):  # it has ended already and is being restarted
        kills[number % len(kills)]()


@pytest.mark.budget(300)
def test_50_rounds_of_kill_9_lose_double_and_oversell_nothing(shop: PaidShop) -> None:
    sent = acknowledged = lost = duplicated = 0
    environment, rounds = shop.environment, list[Payers]()
    for number in range(ROUNDS):
        if number % SETTLE_EVERY == 0:
            restock(shop.worker.database_url, SCARCE, environment.random.randint(20, 60))
            invariants = Invariants(shop.worker.database_url)
        with Payers(shop, 8, SCARCE) as payers:
            shop.tend(0.2)
            worse(shop, number)
            shop.tend(0.4)
            payers.close()
            deadline = time.monotonic() + 60
            while not payers.have_final_answers():
                assert time.monotonic() < deadline, "some customers have no final answer"
                shop.tend(0.1)
        shop.stripe.fault = lambda: ""
        rounds.append(payers)
        if number % SETTLE_EVERY == SETTLE_EVERY - 1:
            shop.settle()
            audit(shop, invariants)
            for each in rounds:
                found = check_payers(shop, each)
                lost, duplicated = lost + found[0], duplicated + found[1]
                sent, acknowledged = sent + each.sent, acknowledged + len(each.acknowledged)
            rounds.clear()
    whole = Outcome(f"payments, {ROUNDS} rounds of kill -9", sent, acknowledged, lost, duplicated, None)
    environment.outcomes.append(whole)
    assert (lost, duplicated) == (0, 0)
    assert acknowledged > ROUNDS


@pytest.mark.budget(120)
@pytest.mark.parametrize("fault", ["away", "slow", "lost"])
def test_the_shop_sells_on_and_loses_no_payment_while_the_provider_is(fault: str, shop: PaidShop) -> None:
    invariants = Invariants(shop.worker.database_url)
    line = Line(shop.environment.ports)
    with Payers(shop, 8, list(PRODUCTS)) as payers:
        shop.tend(1)
        shop.stripe.fault = lambda: fault
        until = time.monotonic() + 4
        while time.monotonic() < until:  # other customers notice nothing
            with suppress(Unanswered):
                assert line.ask("GET", "/products").status == 200
            shop.tend(0.2)
        shop.stripe.fault = lambda: ""
        ended_at = time.monotonic()
        shop.tend(0.5)
        payers.close()
        while not payers.have_final_answers():
            shop.tend(0.1)
    shop.settle()
    line.close()
    audit(shop, invariants)
    lost, duplicated = check_payers(shop, payers)
    recovery = time.monotonic() - ended_at
    outcome = Outcome(f"provider {fault}", payers.sent, len(payers.acknowledged), lost, duplicated, recovery)
    shop.environment.outcomes.append(outcome)
    assert (lost, duplicated) == (0, 0)
    assert shop.stripe.outcomes["invalid_signature"] > 0 or shop.stripe.outcomes["repeated"] > 0
