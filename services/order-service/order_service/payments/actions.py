"""Open payment pages, and apply what the provider says of them.

The provider is called outside transactions only. What it says is applied in one transaction that locks the order
first, so that a payment, a cancellation and the expiry of an order happen one after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import BoundedSemaphore
from uuid import UUID

from chassis.db.database import Database, DeadlineConnection
from chassis.db.statement import Statement
from chassis.problems import NotFound
from order_service.money import amount
from order_service.orders import states
from order_service.orders.queries import order_key
from order_service.payments import hosted, queries, rules, statements
from order_service.payments.metrics import EVENTS, PAYMENTS, REVENUE
from order_service.payments.provider import ForgedEvent, Provider, ProviderUnavailable, State

log = logging.getLogger(__name__)

MOST_WAITING = 2
"""How many threads of a worker wait for the provider at once: few of them, so that the shop goes on while it hangs."""
_slots = BoundedSemaphore(MOST_WAITING)


def open_page(db: Database, provider: Provider | None, *, buyer_id: str, order_id: str, return_url: str) -> str:
    """Return the URL of the page on which the order is paid: the open one, or a new one.

    Raises NotFound, NotPayable or PaymentUnavailable. After a crash at any point the next call opens the same page.
    """
    if provider is None:
        state = queries.order_state(db, buyer_id=buyer_id, order_id=order_id)
        raise rules.NotPayable("the shop takes no payments", **state)
    payment_id = _begin(db, provider, buyer_id, order_key(order_id))
    payment = queries.payment_page(db, payment_id=payment_id)
    if payment is None:
        raise NotFound
    if payment.url is not None and payment.provider == provider.name:
        return payment.url
    if not _slots.acquire(blocking=False):
        raise rules.PaymentUnavailable
    try:
        stored = hosted.open_page(db, hosted.of(provider, payment.provider), payment, return_url)
    except (ProviderUnavailable, hosted.AnotherProvider) as failure:
        raise rules.PaymentUnavailable from failure
    finally:
        _slots.release()
    if stored is None:  # cancelled or expired while the provider was asked
        raise rules.NotPayable(**queries.order_state(db, buyer_id=buyer_id, order_id=order_id))
    return str(stored.url)


def _begin(db: Database, provider: Provider, buyer_id: str, key: UUID) -> UUID:
    """Return the id of the order's open payment, of a new one if it has none."""
    order = {"order_id": key, "buyer_id": buyer_id, "provider": provider.name}
    with db.transaction("open_payment") as connection:
        row = connection.fetch_one(statements.LOCK_TO_PAY, {**order, **states.accepted("pay")})
        if row is None:
            raise NotFound
        if not row.is_payable:
            raise rules.NotPayable(status_of_order=row.status, payment_status=row.payment_status)
        payment_id: UUID = connection.fetch_one(statements.OPEN_PAYMENT, order).id
    return payment_id


def receive_event(db: Database, provider: Provider, body: bytes, headers: Mapping[str, str]) -> str:
    """Apply an event of the provider once, and return its outcome; raise InvalidSignature before anything is stored."""
    try:
        event = provider.read_event(body, headers)
    except ForgedEvent as forged:
        EVENTS.labels("forged").inc()
        log.warning("payment_event_forged", extra={"provider": provider.name, "failure": str(forged)})
        raise rules.InvalidSignature from forged
    known = {"provider": provider.name, "event_id": event.id}
    outcome = "repeated"
    with db.transaction("receive_payment_event") as connection:
        stored = connection.fetch_one(
            statements.STORE_EVENT, {**known, "type": event.type, "provider_id": event.provider_id}
        )
        if stored:
            outcome = _of_event(connection, stored.payment_id, event.state)
            connection.shared_cursor.execute(statements.NOTE_OUTCOME, {**known, "outcome": outcome})
    EVENTS.labels(outcome).inc()
    log.info("payment_event", extra={"provider": provider.name, "type": event.type, "outcome": outcome})
    if stored and event.state:
        _tell(stored.payment_id, outcome, event.state)
    return outcome


def _of_event(connection: DeadlineConnection, payment_id: UUID | None, state: State | None) -> str:
    if state is None:
        return "ignored"
    return _apply(connection, payment_id, state) if payment_id else "unknown_page"


def apply_state(db: Database, payment_id: UUID, state: State) -> str:
    """Apply what the provider says of a payment's page, and return the outcome; the second time changes nothing."""
    with db.transaction("apply_payment_state") as connection:
        outcome = _apply(connection, payment_id, state)
    _tell(payment_id, outcome, state)
    return outcome


def _apply(connection: DeadlineConnection, payment_id: UUID, state: State) -> rules.Outcome:
    found = {"payment_id": payment_id}
    connection.fetch_one(statements.LOCK_ORDER, found)
    outcome = rules.outcome(rules.Locked(*connection.fetch_one(statements.LOCK_PAYMENT, found)), state)
    if outcome in WRITES:
        paid = {"reference": state.reference, "amount_minor": state.amount_minor, "currency": state.currency}
        connection.shared_cursor.execute(WRITES[outcome], {**found, **paid, "reason": outcome})
    return outcome


WRITES: Mapping[str, Statement] = {
    "accepted": statements.ACCEPT,
    **dict.fromkeys(rules.REFUNDED_WHOLE, statements.RETURN),
    "failed": statements.FAIL,
    "expired": statements.EXPIRE,
}


def _tell(payment_id: UUID | None, outcome: str, state: State) -> None:
    """Count and log a change, after its commit."""
    if outcome in {"unchanged", "unknown_page"}:
        return
    PAYMENTS.labels(outcome).inc()
    level = {"mismatch": logging.ERROR, "incomplete": logging.ERROR, "late": logging.WARNING}
    level["duplicate"] = logging.WARNING
    said = {"payment_id": str(payment_id), "outcome": outcome}
    log.log(level.get(outcome, logging.INFO), f"payment_{outcome}", extra=said)
    if outcome == "accepted" and state.amount_minor and state.currency:
        REVENUE.labels(state.currency).inc(float(amount(state.amount_minor, state.currency)))
