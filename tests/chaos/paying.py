"""Customers who pay at the scripted Stripe server, staff who ship and refund, and the worker that does the rest."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from chaos.environment import Environment
from chaos.invariants import money_at_rest
from chaos.load import Load
from chaos.stripe_server import SECRET_KEY, WEBHOOK_SECRET, StripeServer, stripe_server
from chaos.test_webhooks import staff
from chaos.wire import Line
from localshop.service import Service
from localshop.testing import free_ports

SHIP_TO = {"recipient": "Rosa", "street": "Elm 1", "city": "Bonn", "postal_code": "53111", "country": "DE"}
CONTACT = {"ship_to": SHIP_TO, "email": "rosa@example.com", "shipping_method": "standard"}
# The next minute, now: jobs that wait after a failure, windows that end, pages that are asked about.
HURRY = """
UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND scheduled_at > now();
UPDATE payments SET ask_at = now() WHERE status IN ('opening', 'open') AND ask_at > now();
INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args)
SELECT task, task, task, '{}' FROM unnest(ARRAY['expire_orders', 'ask_about_payments']) AS task
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""
DATABASE_GONE = ("OperationalError", "AdminShutdown", "PoolTimeout", "Unavailable")
END_WINDOWS = "UPDATE orders SET pay_until = now() - interval '1 second' WHERE payment_status IN ('pending', 'failed')"
# Only while no worker runs: what `retry_stalled_job` does after half a minute.
RELEASE = """
UPDATE procrastinate_jobs AS job SET worker_id = NULL, scheduled_at = now(), status = CASE
    WHEN EXISTS (
        SELECT FROM procrastinate_jobs AS other WHERE other.queueing_lock = job.queueing_lock
            AND (other.status = 'todo' OR (other.status = 'doing' AND other.id > job.id))
    ) THEN 'cancelled' ELSE 'todo' END::procrastinate_job_status
WHERE status = 'doing'
"""


class PaidShop:
    """The shop with PAYMENT_PROVIDER=stripe, its worker, and the scripted server."""

    def __init__(self, environment: Environment, stripe: StripeServer, worker: Service) -> None:
        self.environment, self.stripe, self.worker = environment, stripe, worker

    def run(self, statement: str, *parameters: Any) -> Any:
        with psycopg.connect(self.worker.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), *parameters)
            return cursor.fetchall() if cursor.description else []

    def tend(self, seconds: float) -> None:
        """Wait, and restart what ended; a worker that died leaves its jobs to the next one."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.environment.revive()
            if not self.worker.running:
                self.run(RELEASE)
                self.worker.launch()
            time.sleep(0.05)

    def bugs(self) -> list[str]:
        """Return the failures that the worker logged with a traceback, but for those of a killed database."""
        lines = self.worker.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line and not any(name in line for name in DATABASE_GONE)]

    def hurry(self) -> None:
        self.run(HURRY)

    def settle(self, patience: float = 90) -> None:
        """End all windows and let all jobs and events be done."""
        deadline = time.monotonic() + patience
        self.run(END_WINDOWS)
        while findings := self._unsettled():
            assert time.monotonic() < deadline, findings
            self.hurry()
            self.tend(0.3)

    def _unsettled(self) -> list[str]:
        with psycopg.connect(self.worker.database_url) as connection:
            findings = money_at_rest(connection, "stripe", self.stripe.held())
        return findings if self.stripe.has_told_all else [*findings, "events are waiting"]


@contextmanager
def paid_shop(environment: Environment) -> Iterator[PaidShop]:
    """Restart order-service so that its orders are paid at the scripted server; run its worker."""
    server, (port,) = environment.shop.order, free_ports(1)
    usual = server.environment
    with stripe_server() as stripe:
        stripe.shop_port = server.port
        of_stripe = {"SECRET_KEY": SECRET_KEY, "WEBHOOK_SECRET": WEBHOOK_SECRET, "API_BASE": stripe.url}
        limits = {"MOST_UNPAID_ORDERS": "1000", "MOST_UNPAID_UNITS": "100000"}
        settings = {f"STRIPE_{name}": value for name, value in of_stripe.items()} | limits
        environment.restart(server, PAYMENT_PROVIDER="stripe", **settings)
        worker = server.job_worker(port)
        try:
            worker.start()
            yield PaidShop(environment, stripe, worker)
        finally:
            stripe.fault = lambda: ""
            worker.kill()
            server.environment = usual
            environment.restart(server)


class Payers(Load):
    """Buyers who pay, pay too late, pay another amount, fail, give up or cancel; and staff who ship and refund.

    `paid` are orders that must keep what was paid, less refunds that were asked for. Nobody pays those that are `left`.
    """

    def __init__(self, shop: PaidShop, number: int, products: list[str]) -> None:
        self.shop, self.paid, self.left = shop, dict[str, str](), set[str]()
        self._staff = staff(shop.environment)
        super().__init__(shop.environment.ports, shop.environment.customers, number, products)

    def _visit(self, line: Line, customer: dict[str, str], key: str, random_: random.Random) -> None:
        product = random_.choice(list(self._products))
        body = {"items": [{"product_id": product, "qty": 2}], **CONTACT}
        answer = self.buy(line, customer, key, body)
        if answer.status != 201:
            return
        order_id = answer.json["order_id"]
        deed = random_.choice(["pay", "pay", "refund", "cancel", "cancel first", "wrong", "fail", "leave"])
        self.act(line, customer, order_id, deed)

    def act(self, line: Line, customer: dict[str, str], order_id: str, deed: str) -> None:
        if deed == "leave":
            self.left.add(order_id)
            return
        url = self.open(line, customer, order_id)
        if deed == "cancel first":
            self.cancel(line, customer, order_id)
        if deed in {"wrong", "fail"}:
            self.shop.stripe.pay(url, amount=7) if deed == "wrong" else self.shop.stripe.fail(url)
            url = self._another(line, customer, order_id, url)
        paid = self.shop.stripe.pay(url)
        self._expect(paid or deed == "cancel first", f"the page of {order_id} had ended")
        if deed == "cancel":
            self.cancel(line, customer, order_id)
        elif deed != "cancel first":
            self.paid[order_id] = deed
        if deed == "refund":
            self._wait_until_paid(order_id)
            self.refund(line, order_id)

    def open(self, line: Line, customer: dict[str, str], order_id: str) -> str:
        answer = self._until_final(line, f"/orders/{order_id}/payment", customer, None)
        self._expect(answer.status == 200, f"paying {order_id} was answered {answer.status}")
        return str(answer.json.get("url"))

    def _another(self, line: Line, customer: dict[str, str], order_id: str, ended: str) -> str:
        """Open a page until it is another one than the one that ended."""
        while (url := self.open(line, customer, order_id)) == ended:
            time.sleep(0.1)
        return url

    def _wait_until_paid(self, order_id: str) -> None:
        while not self._given_up.is_set():
            if self.shop.run("SELECT payment_status FROM orders WHERE " + ID, [order_id]) == [("paid",)]:
                return
            time.sleep(0.1)

    def refund(self, line: Line, order_id: str) -> None:
        """Refund one of two units."""
        body = {"lines": [{"line": 1, "qty": 1}], "restock": True, "reason": "broken"}
        answer = self._until_final(
            line, f"/admin/orders/{order_id}/refunds", self._staff | {"Idempotency-Key": "one-unit"}, body
        )
        self._expect(answer.status == 201, f"refunding {order_id} was answered {answer.status}")


ID = "'o-' || replace(id::text, '-', '') = %s"
