"""Random customers, staff, provider events, clock steps and crashes, against the reference of tests/money_model.py.

MONEY_MODEL_EXAMPLES=2000 looks much longer, and at other examples than `make test`, which always takes the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import money_model
import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from money_model import Order
from scripted_provider import SIGNED, ScriptedProvider, assert_money_adds_up

from chassis.context import Caller
from chassis.db import failpoints
from chassis.db.database import Database
from chassis.problems import Problem
from chassis.testing.postgres import empty
from order_service import jobs
from order_service.catalog import importer
from order_service.catalog.import_file import Product
from order_service.catalog.importer import Plan
from order_service.catalog.stock import DIFFERENT
from order_service.checkout import actions as checkout
from order_service.fulfilment import actions as fulfilment
from order_service.orders import actions as placing
from order_service.orders.actions import NewOrder
from order_service.orders.queries import order_key
from order_service.payments import actions as payments
from order_service.payments import rules
from order_service.payments.provider import ProviderUnavailable, Refund, RefundState, State
from order_service.refunds import actions as refunds
from order_service.refunds.actions import Wanted
from order_service.services import Services

ENOUGH_FOR_EVERY_CRASH = 500
EXAMPLES = int(os.environ.get("MONEY_MODEL_EXAMPLES", "0"))
PHASES = [Phase.generate]
SHELF = {"p1": (1999, "EUR", 6), "p2": (333, "EUR", 9), "yen": (1200, "JPY", 5), "gift": (0, "EUR", 4)}
SHIPPING = {"EUR": 490, "JPY": 0}
MOST_ORDERS, MOST_UNITS = 3, 6
STAFF = Caller("u-staff", "staff", "s-staff", ("staff",))
SHIP_TO = {"recipient": "Rosa", "street": "Elm 1", "city": "Bonn", "postal_code": "53111", "country": "DE"}
METHOD = """
INSERT INTO shipping_methods (id, name, countries, currency, price_minor)
VALUES ('parcel', 'Parcel', '{DE}', 'EUR', 490)
"""
ORDERS = """
SELECT 'o-' || replace(id::text, '-', '') AS id, status, payment_status, paid_minor, refunded_minor, (
    SELECT coalesce(sum(amount_minor), 0)::bigint FROM refunds WHERE order_id = orders.id
        AND reason IN ('late', 'duplicate', 'mismatch')) AS sent_back, (
    SELECT coalesce(sum(amount_minor), 0)::bigint FROM refunds WHERE order_id = orders.id
        AND reason IN ('requested', 'cancelled') AND status = 'failed') AS refused
FROM orders
"""
OPEN = "SELECT id FROM payments WHERE status IN ('opening', 'open')"
REFUNDS = "SELECT id, status FROM refunds"
JOBS = "SELECT id, task_name, args FROM procrastinate_jobs ORDER BY id"
MUST_CRASH_AT = {
    "place_priced_order.after", "open_payment.after", "open_payment.committed", "provider.open.done",
    "store_payment_page.after", "store_payment_event.after", "accept_payment.after", "return_payment.after",
    "receive_payment_event.committed", "cancel_order.after", "cancel_order_by_staff.after", "expire_order.after",
    "provider.expire.done", "provider.refund.done", "finish_refund.after", "request_refund.after", "ship_order.after",
}  # fmt: skip


class Crash(BaseException):
    """The process ends here: nothing after it runs."""


class Points:
    """Failpoints in this process: crash at the n-th one that is reached."""

    def __init__(self) -> None:
        self.left = 0
        self.crashed_at: set[str] = set()

    def reach(self, point: str) -> None:
        self.left -= 1
        if self.left == 0:
            self.crashed_at.add(point)
            raise Crash(point)


class Provider(ScriptedProvider):
    """A provider around whose calls the process may crash, and that may refuse to refund an order."""

    refuses = False

    def __init__(self, points: Points, is_accepted: Callable[[str], bool]) -> None:
        super().__init__()
        self.points, self.is_accepted = points, is_accepted

    def _call(self, name: str, argument: Any, act: Callable[[], Any]) -> Any:
        self.points.reach(f"provider.{name}.asked")
        result = super()._call(name, argument, act)
        self.points.reach(f"provider.{name}.done")
        return result

    def refund(self, refund: Refund) -> RefundState:
        if self.refuses and refund.id not in self.refunds and self.is_accepted(refund.reference):
            return RefundState("failed", None, "the card is closed")
        return super().refund(refund)


class Bench:
    """The real shop on the real PostgreSQL; `services` are those of a process with failpoints."""

    def __init__(self, services: Services, operator: Database, points: Points) -> None:
        self.points, self.operator = points, operator
        terms = services.terms._replace(
            payment_minutes=30, most_unpaid_orders=MOST_ORDERS, most_unpaid_units=MOST_UNITS
        )
        url = services.settings.database_url
        self.db = Database(url, pool_size=2)
        self.services = replace(services, database=self.db, terms=terms)

    def begin(self, provider: Provider) -> None:
        self.points.left = 0
        empty(self.operator)
        products = [
            Product(key, key, "", "", price, currency, units) for key, (price, currency, units) in SHELF.items()
        ]
        importer.write(self.services.settings.database_url, products, Plan(stock="set"))
        self.write(METHOD)
        self.services.payments = provider

    def write(self, statement: str, **parameters: Any) -> None:
        with self.operator.transaction("test") as connection:
            connection.execute(statement, parameters)

    def rows(self, query: str) -> Sequence[Any]:
        return self.operator.fetch_all(query)

    @contextmanager
    def crashing(self, crash: int) -> Iterator[list[bool]]:
        """Crash at the n-th failpoint, 0: at none; the list gets True when it did."""
        self.points.left, crashed = crash, list[bool]()
        try:
            yield crashed
        except Crash:
            crashed.append(True)
        finally:
            self.points.left = 0


@pytest.fixture
def bench(app: Flask, operator: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    points = Points()
    monkeypatch.setattr(failpoints, "reach", points.reach)
    monkeypatch.setattr(failpoints, "CURSOR", failpoints.FailpointCursor)
    bench = Bench(app.services, operator, points)  # type: ignore[attr-defined]
    yield bench
    bench.db.close()


CRASH = st.one_of(st.just(0), st.integers(1, 9))
CHOICE = st.integers(0, 99)
BUYER = st.sampled_from(["ana", "bo"])
BASKET = st.dictionaries(st.sampled_from([*SHELF]), st.integers(1, 3), min_size=1, max_size=2)
THEN = st.sampled_from(["nothing", "ship", "cancel"])
DEED = st.sampled_from(["pay", "pay", "pay", "decline", "late", "wrong amount", "wrong currency"])


class Money(RuleBasedStateMachine):
    """Steps on the real shop; after each the orders, the stock and the sums are those of the model."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, Order] = {}
        self.refused: dict[str, int] = {}
        self.urls: dict[str, str] = {}
        self.mail: list[dict[str, Any]] = []
        self.keys = count()
        self.provider = Provider(self.bench.points, self._is_accepted)
        self.bench.begin(self.provider)
        self.db = self.bench.db

    # Customers.

    @initialize(paid=st.integers(0, 3))
    def begin(self, paid: int) -> None:
        """Begin with three orders whose pages are open, of which some are paid."""
        for number, product in enumerate(["p1", "p2", "yen"]):
            self.place(basket={product: 2}, buyer="ana", has_contact=True, off=None, crash=0)
            self.open_page(which=number, crash=0)
            if number < paid:
                self.visit_page(which=number, deed="pay", loses=False)
                self.send_event(which=number, crash=0, signature="valid")

    @rule(basket=BASKET, buyer=BUYER, has_contact=st.booleans(), off=st.sampled_from([None, 0, 1]), crash=CRASH)
    def place(self, *, basket: dict[str, int], buyer: str, has_contact: bool, off: int | None, crash: int) -> None:
        """Place an order, and again with the same key after a crash; `off` is how far the expected total is off."""
        wanted = dict(sorted(basket.items()))
        order = NewOrder(ship_to=SHIP_TO, email="rosa@example.com") if has_contact else NewOrder()
        new = self._new(buyer, wanted, has_contact)
        if has_contact and new and new.currency == "EUR":
            order = order._replace(shipping_method="parcel")
        if off is not None and new:
            terms = {"country": "DE" if has_contact else None, "shipping_method": order.shipping_method}
            quote = json.loads(checkout.quote(self.db, basket=wanted, **terms, prices_include_tax=True))
            order = order._replace(expected_total=quote["total"] + off)
        request = {
            "buyer": Caller(buyer, buyer, "s-1"), "basket": wanted, "order": order,
            "terms": self.bench.services.terms, "idempotency_key": f"k-{next(self.keys)}",
        }  # fmt: skip
        with self.bench.crashing(crash) as crashed:
            self._placed(request, new, off=bool(off))
        if crashed:
            self._placed(request, new, off=bool(off))

    def _placed(self, request: dict[str, Any], new: Order | None, *, off: bool) -> None:
        try:
            placed = placing.place_order(self.db, **request)
        except Problem as problem:
            assert new is None or off, f"the order was refused: {problem!r}"  # noqa: PT017
        else:
            assert new is not None, "the order was accepted"
            assert not off, "the order was accepted at another total"
            self.orders[placed.order_id] = new
            document = json.loads(placed.receipt)
            assert round(document["total"] * (1 if new.currency == "JPY" else 100)) == new.total

    def _new(self, buyer: str, wanted: dict[str, int], has_contact: bool) -> Order | None:
        """Return the order that the shop should make, None if it should refuse."""
        currencies = {SHELF[product][1] for product in wanted}
        if len(currencies) > 1:
            return None
        left = self._stock()
        for product, units in wanted.items():
            waiting = [
                o.units[product] for o in self.orders.values() if o.waits and o.buyer == buyer and product in o.units
            ]
            if left[product] < units or len(waiting) >= MOST_ORDERS or sum(waiting) + units > MOST_UNITS:
                return None
        [currency] = currencies
        prices = {product: SHELF[product][0] for product in wanted}
        return Order(buyer, currency, prices, wanted, SHIPPING[currency] if has_contact else 0, has_contact)

    @precondition(lambda self: self.orders)
    @rule(which=CHOICE, crash=CRASH)
    def open_page(self, which: int, crash: int) -> None:
        order_id, order = self._any(which)
        is_payable, url = order.waits and not order.is_unpaid_too_long, None
        with self.bench.crashing(crash) as crashed:
            try:
                back = rules.return_url(self.bench.services.settings.public_url, order_key(order_id))
                url = payments.open_page(
                    self.db, self.provider, buyer_id=order.buyer, order_id=order_id, return_url=back
                )
            except Problem as problem:
                assert not is_payable or problem.code == "payment_unavailable", repr(problem)  # noqa: PT017
                assert not is_payable or self._is_limited("open")
        if url is None:
            return
        assert is_payable
        assert not crashed
        page = next(page["id"] for page in self.provider.pages.values() if page["url"] == url)
        assert order.pages.get(page, "open") == "open"
        assert all(state != "open" for known, state in order.pages.items() if known != page), "two open pages"
        self.orders[order_id] = order.open_page(page)
        self.urls[page] = order_id

    @precondition(lambda self: self.orders)
    @rule(which=CHOICE, crash=CRASH)
    def cancel(self, which: int, crash: int) -> None:
        order_id, order = self._any(which)
        self._act(
            order_id, order.cancel(), crash,
            lambda: placing.cancel_order(self.db, buyer_id=order.buyer, order_id=order_id),
        )  # fmt: skip

    # People at the provider, and what it tells the shop.

    @precondition(lambda self: self.urls)
    @rule(which=CHOICE, deed=DEED, loses=st.booleans(), at_once=st.booleans())
    def visit_page(self, which: int, deed: str, loses: bool, at_once: bool = False) -> None:
        """Pay or decline on a page whose address the shop has told."""
        page = [*self.urls][which % len(self.urls)]
        before = self.provider.pages[page]["status"]
        wrong: dict[str, Any] = {"wrong amount": {"amount": 7}, "wrong currency": {"currency": "CHF"}}.get(deed, {})
        if deed == "decline":
            state = self.provider.end(page, "failed")
        else:
            state = self.provider.pay(page, late=deed == "late", **wrong)
        if self.provider.pages[page]["status"] == before:
            return
        self.mail.append(
            {"id": f"e-{len(self.mail)}-{page}", "page": page, "state": state, "is_due": not loses or before != "open"}
        )
        if at_once:
            self.send_event(which=len(self.mail) - 1, crash=0, signature="valid")

    @precondition(lambda self: self.mail)
    @rule(which=CHOICE, crash=CRASH, signature=st.sampled_from(["valid", "valid", "valid", "forged"]))
    def send_event(self, which: int, crash: int, signature: str) -> None:
        """Send an event, perhaps again, perhaps before an older one."""
        mail = self.mail[which % len(self.mail)]
        content = {"id": mail["id"], "type": "page.changed", "page": mail["page"], "state": mail["state"]}
        body = json.dumps(content).encode()
        order_id = self.urls[mail["page"]]
        heard = self._heard(self.orders[order_id], mail["page"], mail["state"])
        with self.bench.crashing(crash) as crashed:
            try:
                payments.receive_event(self.db, self.provider, body, SIGNED | {"Signature": signature})
            except Problem as problem:
                assert (signature, problem.code) == ("forged", "invalid_signature")  # noqa: PT017
                return
        if not crashed:
            assert signature == "valid"
            mail["is_due"] = False
        self._follow(order_id, [self.orders[order_id], heard], finished=not crashed)

    @rule(away=st.sets(st.sampled_from(["open", "expire", "state", "refund"])),
          lost=st.sets(st.sampled_from(["open", "expire", "state", "refund"])), refuses=st.booleans())  # fmt: skip
    def change_provider(self, away: set[str], lost: set[str], refuses: bool) -> None:
        """Let calls be not done, or done and not answered, until this is changed again."""
        self.provider.away, self.provider.lost, self.provider.refuses = away, lost, refuses

    # Staff.

    @precondition(lambda self: self.orders)
    @rule(which=CHOICE, deed=st.sampled_from(["ship", "deliver", "cancel"]), crash=CRASH)
    def staff(self, which: int, deed: str, crash: int) -> None:
        order_id, order = self._any(which)
        about: dict[str, Any] = {"staff": STAFF, "order_id": order_id}
        tracking: dict[str, Any] = dict.fromkeys(["carrier", "tracking_number", "tracking_url"])
        deeds: dict[str, tuple[Order | None, Callable[[], Any]]] = {
            "ship": (order.ship(), lambda: fulfilment.ship(self.db, **about, **tracking)),
            "deliver": (order.deliver(), lambda: fulfilment.deliver(self.db, **about)),
            "cancel": (order.cancel(), lambda: fulfilment.cancel(self.db, **about, reason="wanted")),
        }
        expected, act = deeds[deed]
        if (deed, order.status) in {("ship", "shipped"), ("ship", "delivered"), ("deliver", "delivered")}:
            expected = order  # the same request again
        self._act(order_id, expected, crash, act)

    @precondition(lambda self: any(order.paid for order in self.orders.values()))
    @rule(which=CHOICE, units=st.integers(1, 3), restock=st.booleans(), by_amount=st.booleans(), then=THEN, crash=CRASH)
    def refund(self, *, which: int, units: int, restock: bool, by_amount: bool, then: str, crash: int) -> None:
        """Refund units of a line or an amount; after a crash ask again with the same key."""
        paid = [(order_id, order) for order_id, order in self.orders.items() if order.paid]
        order_id, order = paid[which % len(paid)]
        product = [*order.units][which % len(order.units)]
        if by_amount:
            amount = units * 5.0
            expected = order.refund(int(amount * (1 if order.currency == "JPY" else 100)))
            wanted = Wanted(None, shipping=False, amount=amount, restock=False, reason="broken")
        else:
            expected = order.refund_units(product, units, restock=restock)
            wanted = Wanted([(product, units)], shipping=False, amount=None, restock=restock, reason="broken")
        request: dict[str, Any] = {"staff": STAFF, "order_id": order_id, "wanted": wanted}
        request["idempotency_key"] = f"k-{next(self.keys)}"
        for each in (crash, 0):
            self._act(order_id, expected, each, lambda: refunds.request_refund(self.db, **request))
        if then != "nothing":
            self.staff(which=[*self.orders].index(order_id), deed=then, crash=0)

    # The clock, and the worker.

    @precondition(lambda self: self.orders)
    @rule(which=CHOICE)
    def let_window_end(self, which: int) -> None:
        order_id, order = self._any(which)
        self._end_window(order_id, order)

    @rule(job=st.sampled_from(["expire_orders", "ask_about_payments"]), crash=CRASH)
    def run_periodic_job(self, job: str, crash: int) -> None:
        self._periodic(job, crash)

    @rule(which=CHOICE, twice=st.booleans(), crash=CRASH)
    def run_queued_job(self, which: int, twice: bool, crash: int) -> None:
        waiting = self.bench.rows(JOBS)
        if waiting:
            self._job(waiting[which % len(waiting)], crash, keep=twice)

    def _periodic(self, job: str, crash: int = 0) -> None:
        if job == "ask_about_payments":
            self.bench.write("UPDATE payments SET ask_at = now() WHERE status IN ('opening', 'open')")
        finished = self._work(lambda: getattr(jobs, job)(self.bench.services), crash)
        for order_id, order in [*self.orders.items()]:
            if job == "expire_orders" and not (order.waits and order.is_unpaid_too_long):
                continue
            states = self._heard_from_pages(order)
            if job == "expire_orders":
                states.append(states[-1].expire())
            self._follow(order_id, states, finished=finished and not self._is_limited("open", "expire", "state"))

    def _job(self, job: Any, crash: int, *, keep: bool) -> None:
        """Run a queued job; one that failed or crashed stays."""
        finished = self._work(lambda: getattr(jobs, job.task_name)(self.bench.services, **job.args), crash)
        if finished and not keep:
            self.bench.write("DELETE FROM procrastinate_jobs WHERE id = %(id)s", id=job.id)
        for order_id, order in [*self.orders.items()]:
            self._follow(order_id, self._heard_from_pages(order), finished=False)

    def _work(self, act: Callable[[], None], crash: int) -> bool:
        with self.bench.crashing(crash) as crashed:
            try:
                act()
            except ProviderUnavailable:
                return False
        return not crashed

    # What the model expects.

    def _any(self, which: int) -> tuple[str, Order]:
        return [*self.orders.items()][which % len(self.orders)]

    def _act(self, order_id: str, expected: Order | None, crash: int, act: Callable[[], Any]) -> None:
        """Act on an order; None is expected to be refused. After a crash it is done or not done."""
        before = self.orders[order_id]
        with self.bench.crashing(crash) as crashed:
            try:
                act()
            except Problem as problem:
                assert expected is None, f"{before} was refused: {problem!r}"  # noqa: PT017
            else:
                assert expected is not None, f"{before} was accepted"
        self._follow(order_id, [before, expected or before], finished=not crashed)

    def _follow(self, order_id: str, states: list[Order], *, finished: bool) -> None:
        """Let the order be the last of its states, or after an interruption the one that it is in."""
        if not finished:
            row = self._rows()[order_id]
            states = [state for state in states if self._shown(state) == self._seen(row)] or states
        self.orders[order_id] = states[-1]

    def _heard(self, order: Order, page: str, state: State) -> Order:
        amount = state.amount_minor if state.currency == order.currency else None
        heard = order.hear(page, state.status, amount)
        # What came in another currency goes back in that one; the shop's sum counts it all the same.
        foreign = heard is not order and state.status == "paid" and amount is None
        return replace(heard, sent_back=heard.sent_back + (state.amount_minor or 0)) if foreign else heard

    def _heard_from_pages(self, order: Order) -> list[Order]:
        states = [order]
        for page, known in order.pages.items():
            if known == "open":
                states.append(self._heard(states[-1], page, self.provider._state(page)))
        return states

    def _is_limited(self, *calls: str) -> bool:
        return bool(self.provider.away.union(self.provider.lost).intersection(calls))

    def _is_accepted(self, page: str) -> bool:
        found = "SELECT FROM payments WHERE provider_id = %(page)s AND accepted"
        return self.bench.operator.fetch_one(found, {"page": page}) is not None

    def _end_window(self, order_id: str, order: Order) -> None:
        late = "UPDATE orders SET pay_until = now() - interval '1 second' WHERE id = %(id)s AND pay_until IS NOT NULL"
        self.bench.write(late, id=order_key(order_id))
        self.orders[order_id] = replace(order, is_unpaid_too_long=True)

    def _stock(self) -> dict[str, int]:
        return money_model.stock({key: units for key, (_, _, units) in SHELF.items()}, self.orders.values())

    def _rows(self) -> dict[str, Any]:
        return {row.id: row for row in self.bench.rows(ORDERS)}

    def _seen(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.payment_status, row.paid_minor, row.refunded_minor, row.sent_back)

    def _shown(self, order: Order) -> tuple[Any, ...]:
        return (order.status, order.payment, order.paid, order.refunded, order.sent_back)

    @invariant()
    def agrees(self) -> None:
        rows = self._rows()
        assert rows.keys() == self.orders.keys()
        for order_id, row in rows.items():
            if new := row.refused - self.refused.get(order_id, 0):  # the order has that money again
                self.refused[order_id] = row.refused
                self.orders[order_id] = replace(self.orders[order_id], refunded=self.orders[order_id].refunded - new)
            assert self._seen(row) == self._shown(self.orders[order_id]), order_id
        assert {row.id: row.stock for row in self.bench.rows("SELECT id, stock FROM products")} == self._stock()

    def teardown(self) -> None:
        """Let the provider come back, all windows end and all jobs run: then nothing is pending and all adds up."""
        self.provider.away, self.provider.lost, self.provider.refuses = set(), set(), False
        for number in [number for number, mail in enumerate(self.mail) if mail["is_due"]]:
            self.send_event(number, 0, "valid")
        self._finish()
        for order_id, order in [*self.orders.items()]:
            self._end_window(order_id, order)
        self._finish()
        self.agrees()
        assert self.bench.rows(DIFFERENT) == []
        assert_money_adds_up(self.bench.operator, self.provider)
        self._all_is_settled()

    def _finish(self) -> None:
        for job in ("ask_about_payments", "expire_orders"):
            self._periodic(job)
        while waiting := self.bench.rows(JOBS):
            self._job(waiting[0], 0, keep=False)

    def _all_is_settled(self) -> None:
        assert not any(order.waits for order in self.orders.values())
        assert self.bench.rows(OPEN) == []
        found = {row.id: row.status for row in self.bench.rows(REFUNDS)}
        assert {key for key, status in found.items() if status == "done"} == self.provider.refunds.keys()
        assert "pending" not in found.values()
        held: dict[str, int] = {}
        for page in self.provider.pages.values():
            if page["status"] == "paid":
                rest = page["amount"] - self.provider.refunded(page["id"])
                held[page["currency"]] = held.get(page["currency"], 0) + rest
        for order in self.orders.values():
            held[order.currency] = held.get(order.currency, 0) - order.paid + order.refunded
        assert not any(held.values()), held


def test_every_cent_is_on_one_order_or_goes_back(bench: Bench) -> None:
    machine = type("Machine", (Money,), {"bench": bench})
    profile = settings(
        max_examples=EXAMPLES or 40,
        stateful_step_count=30,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
        phases=PHASES,
    )
    run_state_machine_as_test(machine, settings=profile)
    if EXAMPLES >= ENOUGH_FOR_EVERY_CRASH:
        assert bench.points.crashed_at >= MUST_CRASH_AT
    assert bench.points.crashed_at
