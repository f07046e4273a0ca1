"""A payment provider for tests: it keeps its state, and can be away, slow, or lose its answers."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from chassis.db.database import Database
from order_service.payments.provider import (
    Event,
    ForgedEvent,
    Page,
    Payment,
    ProviderUnavailable,
    Refund,
    RefundState,
    State,
)

SIGNED = {"Signature": "valid", "Content-Type": "application/json"}


class ScriptedProvider:
    """`away` and `lost` name calls: the first are not done, the second are done but not answered.

    `before` are functions by call, called once, with the call's argument: what happens at just this moment.
    """

    name = "test"

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}
        self.refunds: dict[Any, Refund] = {}
        self.refund_states: list[RefundState] = []
        self.away: set[str] = set()
        self.lost: set[str] = set()
        self.before: dict[str, Callable[[Any], Any]] = {}
        self.calls: list[str] = []
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)

    def open(self, payment: Payment) -> Page:
        def open_page() -> Page:
            known = [page for page in self.pages.values() if page["payment"].id == payment.id]
            if known:
                first: Payment = known[0]["payment"]  # tests move the end of the window, the shop never does
                assert first._replace(expires_at=payment.expires_at) == payment, "the same id came with another request"
                return Page(known[0]["id"], known[0]["url"])
            page_id = f"page-{next(self._numbers)}"
            url = f"https://pay.example/{page_id}"
            self.pages[page_id] = {"id": page_id, "url": url, "payment": payment, "status": "open"}
            return Page(page_id, url)

        result: Page = self._call("open", payment, open_page)
        return result

    def expire(self, provider_id: str) -> State:
        result: State = self._call("expire", provider_id, lambda: self.end(provider_id, "expired"))
        return result

    def state(self, provider_id: str) -> State:
        result: State = self._call("state", provider_id, lambda: self._state(provider_id))
        return result

    def refund(self, refund: Refund) -> RefundState:
        def give_back() -> RefundState:
            if self.refund_states and self.refund_states[0].status != "done":
                return self.refund_states.pop(0)
            assert self.refunds.setdefault(refund.id, refund) == refund, "the same id came with another request"
            paid = {page["id"]: page["amount"] for page in self.pages.values() if page["status"] == "paid"}
            assert self.refunded(refund.reference) <= paid[refund.reference]
            return RefundState("done", f"refund-{refund.id}")

        result: RefundState = self._call("refund", refund, give_back)
        return result

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> Event:
        if headers.get("Signature") != "valid":
            raise ForgedEvent("no valid signature")
        event = json.loads(body)
        return Event(event["id"], event["type"], event["page"], State(*event["state"]) if event["state"] else None)

    def _call(self, name: str, argument: Any, act: Callable[[], Any]) -> Any:
        self.calls.append(name)
        if happen := self.before.pop(name, None):
            happen(argument)
        if name in self.away:
            raise ProviderUnavailable("away")
        with self._lock:
            result = act()
        if name in self.lost:
            raise ProviderUnavailable("answered too late")
        return result

    # What people do at the provider, and what the provider tells the shop.

    def pay(self, page_id: str, *, amount: int | None = None, currency: str | None = None, late: bool = False) -> State:
        """Pay on an open page; `late` also on one that has ended. Another amount or currency as a provider's fault."""
        with self._lock:
            page = self.pages[page_id]
            wanted: Payment = page["payment"]
            paid = {"amount": amount or wanted.amount_minor, "currency": currency or wanted.currency}
            if page["status"] == "open" or (late and page["status"] != "paid"):
                page.update(paid, status="paid")
            return self._state(page_id)

    def end(self, page_id: str, status: str) -> State:
        with self._lock:
            if self.pages[page_id]["status"] == "open":
                self.pages[page_id]["status"] = status
            return self._state(page_id)

    def refunded(self, reference: str) -> int:
        return sum(refund.amount_minor for refund in self.refunds.values() if refund.reference == reference)

    def _state(self, page_id: str) -> State:
        page = self.pages[page_id]
        if page["status"] == "paid":
            return State("paid", page["id"], page["amount"], page["currency"])
        return State(page["status"])


def event(
    page_id: str | None, state: State | None, *, event_id: str = "", kind: str = "page.changed"
) -> dict[str, Any]:
    """Return the keyword arguments with which a client posts the event."""
    content = {"id": event_id or f"{page_id}-{state}", "type": kind, "page": page_id, "state": state}
    return {"data": json.dumps(content), "headers": SIGNED}


BALANCE = """
SELECT currency, sum(money)::bigint AS difference FROM (
    SELECT paid_currency AS currency, paid_minor AS money FROM payments WHERE status = 'paid'
    UNION ALL SELECT currency, -paid_minor FROM orders
    UNION ALL SELECT currency, -amount_minor FROM (  -- once, even when the first refund failed and was tried again
        SELECT DISTINCT ON (payment_id) currency, amount_minor FROM refunds
        WHERE reason IN ('late', 'duplicate', 'mismatch')
    ) AS returned
) AS sums GROUP BY currency HAVING sum(money) <> 0
"""
ORDERS = """
SELECT o.id, o.status, o.payment_status, o.paid_minor, o.refunded_minor FROM orders o
LEFT JOIN payments p ON p.order_id = o.id AND p.accepted
WHERE o.paid_minor <> coalesce(p.paid_minor, 0)
   OR (p.id IS NOT NULL AND (p.paid_minor, p.paid_currency) <> (o.total_minor, o.currency))
   OR o.refunded_minor <> (SELECT coalesce(sum(amount_minor), 0) FROM refunds r
        WHERE r.order_id = o.id AND reason IN ('requested', 'cancelled') AND r.status <> 'failed')
   OR (payment_status IN ('paid', 'partially_refunded', 'refunded')) <> (o.paid_minor > 0)
"""
REFUNDS = """
SELECT payment_id FROM refunds JOIN payments ON payments.id = payment_id
WHERE refunds.status <> 'failed' GROUP BY payment_id, paid_minor HAVING sum(refunds.amount_minor) > paid_minor
"""


def assert_money_adds_up(db: Database, provider: ScriptedProvider | None = None) -> None:
    """Every cent paid is on exactly one order or on its way back; the provider has refunded what we say."""
    assert (db.fetch_all(BALANCE), db.fetch_all(ORDERS), db.fetch_all(REFUNDS)) == ([], [], [])
    if provider is not None:
        done = db.fetch_all("SELECT id, amount_minor FROM refunds WHERE status = 'done'")
        at_provider = {refund.id: refund.amount_minor for refund in provider.refunds.values()}
        assert {row.id: row.amount_minor for row in done}.items() <= at_provider.items()
