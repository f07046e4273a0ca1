"""What Stripe's pages, refunds and events say, in the words of the interface."""

from __future__ import annotations

from typing import Any

from order_service.payments.provider import Event, RefundState, State
from order_service.payments.stripe_amounts import from_stripe

PAID_OR_NOT = {"checkout.session.completed", "checkout.session.async_payment_succeeded"}
ENDED = {
    "checkout.session.async_payment_failed": State("failed"),
    "checkout.session.expired": State("expired"),
}
REFUNDS: dict[str, Any] = {"succeeded": "done", "failed": "failed", "canceled": "failed"}  # others: pending


def event_of(event: dict[str, Any]) -> Event:
    identity, kind, page = event["id"], event["type"], event["data"]["object"]
    if page.get("object") != "checkout.session":
        return Event(identity, kind, None, None)
    is_ours = bool((page.get("metadata") or {}).get("payment_id"))
    state = (state_of(page) if kind in PAID_OR_NOT else ENDED.get(kind)) if is_ours else None
    return Event(identity, kind, page["id"], state)


def state_of(page: dict[str, Any]) -> State:
    """Return the state of a page; one that is complete but unpaid waits for the bank, until its payment has failed."""
    intent = page.get("payment_intent")
    known = intent if isinstance(intent, dict) else {}
    if page["status"] == "expired":
        return State("expired")
    if page["payment_status"] == "unpaid":
        has_failed = page["status"] == "complete" and known.get("status") in {"requires_payment_method", "canceled"}
        return State("failed" if has_failed else "open")
    currency = page["currency"].upper()
    return State("paid", known.get("id") or intent, from_stripe(page["amount_total"], currency), currency)


def refund_id_of(refund: dict[str, Any]) -> str | None:
    return (refund.get("metadata") or {}).get("refund_id")


def refund_state_of(refund: dict[str, Any]) -> RefundState:
    status = REFUNDS.get(refund["status"], "pending")
    failure = (refund.get("failure_reason") or refund["status"]) if status == "failed" else None
    return RefundState(status, refund["id"], failure)
