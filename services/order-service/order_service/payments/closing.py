"""Close payment pages, cancel orders that were not paid in time, and ask the provider in case an event was lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TypeVar
from uuid import UUID

from chassis.db.database import Database, Row
from order_service.orders import cancel_statements, states
from order_service.payments import actions, hosted, queries, rules, statements
from order_service.payments.metrics import ORDERS_EXPIRED
from order_service.payments.provider import Provider, ProviderRefused, ProviderUnavailable, State

log = logging.getLogger(__name__)

RUN_SECONDS = 40
"""How long a run of a periodic job goes on; the next minute's run does the rest."""
MOST_AT_ONCE = 500

T = TypeVar("T")


class StillOpen(ProviderUnavailable):
    """The provider did not close the page."""


def close_page(db: Database, provider: Provider | None, *, payment_id: UUID, public_url: str) -> None:
    """Let nobody pay on the payment's page any more, and apply what the provider says of it."""
    payment = queries.payment_page(db, payment_id=payment_id)
    if payment is None or payment.status not in rules.OPEN:
        return
    found = hosted.of(provider, payment.provider)
    try:
        page_id = hosted.page_id(db, found, payment, public_url)
    except ProviderRefused:
        # Nobody was given the address of a page that was never stored, so nobody can have paid on it.
        actions.apply_state(db, payment_id, State("expired"))
        return
    if page_id is None:
        return  # closed meanwhile
    with hosted.calling("expire"):
        state = found.expire(page_id)
    actions.apply_state(db, payment_id, state)
    if state.status == "open":
        raise StillOpen(page_id)


def expire_orders(db: Database, provider: Provider | None, *, public_url: str) -> None:
    """Cancel the orders that were not paid in time; one whose page cannot be closed is left for the next run."""

    def expire(order: Row) -> None:
        if order.payment_id:
            close_page(db, provider, payment_id=order.payment_id, public_url=public_url)
        row = db.fetch_one(cancel_statements.EXPIRE, {"id": order.id, **states.accepted("expire")})
        if row and row.document:  # none: it was paid meanwhile
            ORDERS_EXPIRED.inc()
            log.info("order_expired", extra={"order_id": f"o-{order.id.hex}"})

    _each(queries.unpaid_in_time(db, limit=MOST_AT_ONCE), expire)


def ask_about_payments(db: Database, provider: Provider | None, *, public_url: str) -> None:
    """Ask the provider for the state of open pages, after growing pauses; close those of orders that are not paid."""
    claims = iter(lambda: db.fetch_one(statements.CLAIM_TO_ASK), None)
    _each(claims, lambda claimed: _ask(db, provider, claimed.payment_id, public_url))


def _ask(db: Database, provider: Provider | None, payment_id: UUID, public_url: str) -> None:
    payment = queries.payment_page(db, payment_id=payment_id)
    if payment is None:
        return
    if not payment.is_payable:
        close_page(db, provider, payment_id=payment_id, public_url=public_url)
        return
    found = hosted.of(provider, payment.provider)
    page_id = hosted.page_id(db, found, payment, public_url)
    if page_id is not None:
        with hosted.calling("state"):
            state = found.state(page_id)
        actions.apply_state(db, payment_id, state)


def _each(items: Iterable[T], act: Callable[[T], None]) -> None:
    """Act on each item for RUN_SECONDS; one that fails does not keep the others from their turn.

    Items whose provider is away come again with the next run. Any other failure is raised at the end, for the metrics.
    """
    deadline, failures = monotonic() + RUN_SECONDS, list[Exception]()
    for item in items:
        try:
            act(item)
        except ProviderUnavailable:
            log.info("payment_left_for_the_next_run")
        except Exception as failure:
            log.exception("payment_job_failed_for_one")
            failures.append(failure)
        if monotonic() > deadline:
            break
    if failures:
        raise failures[0]
