"""Return money through the provider."""

from __future__ import annotations

import logging
from uuid import UUID

from chassis.db.database import Database, Row
from order_service.payments import hosted, queries, statements
from order_service.payments.metrics import REFUNDS
from order_service.payments.provider import Provider, Refund, RefundState

log = logging.getLogger(__name__)


class RefundPending(Exception):
    """The provider has accepted the refund but not finished it: ask again later."""


def refund_payment(db: Database, provider: Provider | None, *, refund_id: UUID) -> None:
    """Ask the provider for a refund and store what came of it.

    The refund's id is the idempotency key, so a crash between the two steps is cured by running the job again.
    """
    refund = queries.pending_refund(db, refund_id=refund_id)
    if refund is None:
        return
    state = _ask(hosted.of(provider, refund.provider), refund)
    if state.status == "pending":
        raise RefundPending(refund_id)
    with db.transaction("finish_refund") as connection:
        which = {"refund_id": refund_id}
        connection.fetch_one(statements.LOCK_ORDER_OF_REFUND, which)
        finished = connection.fetch_one(statements.FINISH_REFUND, {**which, **state._asdict()})
    if finished:
        _tell(refund_id, state)


def _ask(provider: Provider, refund: Row) -> RefundState:
    if refund.reference is None:
        return RefundState("failed", failure="the provider named nothing that can be refunded")
    with hosted.calling("refund"):
        return provider.refund(Refund(refund.id, refund.reference, refund.amount_minor, refund.currency))


def _tell(refund_id: UUID, state: RefundState) -> None:
    REFUNDS.labels(state.status).inc()
    said = {"refund_id": str(refund_id), "failure": state.failure}
    if state.status == "failed":
        log.error("refund_failed", extra=said)
    else:
        log.info("refund_done", extra=said)
