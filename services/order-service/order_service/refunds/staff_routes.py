"""The routes with which staff refund orders."""

from __future__ import annotations

from chassis.auth.roles import REFUSALS
from chassis.context import Caller
from chassis.http.api import staff
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, raw_json
from order_service.orders.schemas import OrderPath
from order_service.refunds import actions, rules
from order_service.refunds.schemas import RefundHeaders, RefundIn, RefundOut, RefundPath
from order_service.refusals import FeedTooOld
from order_service.services import Services

refunds = staff("refunds", __name__)

CONFLICTS = (
    rules.NotRefundable, rules.RefundTooLarge, rules.TooManyUnits, rules.ShippingRefunded, rules.NothingToRefund,
)  # fmt: skip


@refunds.post(
    "/admin/orders/<order_id>/refunds",
    operation_id="refund_order",
    responses=responses(
        {201: RefundOut},
        *(400, 401, *REFUSALS, 404, *CONFLICTS, 413, 415, rules.KeyReused, FeedTooOld),
    ),
)
def refund(services: Services, caller: Caller, path: OrderPath, header: RefundHeaders, body: RefundIn) -> JsonResponse:
    """Refund units of lines, the shipping, or an amount; a job asks the payment provider to return the money."""
    wanted = actions.Wanted(
        lines=[(line.product_id if line.line is None else line.line, line.qty) for line in body.lines] or None,  # type: ignore[misc]
        shipping=body.shipping,
        amount=body.amount,
        restock=body.restock,
        reason=body.reason,
    )
    document = actions.request_refund(
        services.database,
        staff=caller,
        order_id=path.order_id,
        wanted=wanted,
        idempotency_key=header.idempotency_key,
    )
    return raw_json(document, status=201)


@refunds.post(
    "/admin/orders/<order_id>/refunds/<refund_id>/retry",
    operation_id="retry_refund",
    responses=responses({201: RefundOut}, 401, *REFUSALS, 404, rules.NotRetriable, FeedTooOld),
)
def retry(services: Services, caller: Caller, path: RefundPath) -> JsonResponse:
    """Try again to return a late, doubled or mismatched payment whose refund failed; makes a new refund."""
    document = actions.retry_refund(services.database, staff=caller, order_id=path.order_id, refund_id=path.refund_id)
    return raw_json(document, status=201)
