"""Routes of payments: open a payment page, receive the provider's events."""

from __future__ import annotations

from chassis.context import Caller
from chassis.http.api import public, signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response
from chassis.problems import NotFound
from order_service.orders.queries import order_key
from order_service.orders.schemas import OrderPath
from order_service.payments import actions, queries, rules
from order_service.payments.schemas import EventBody, EventOut, PaymentPageOut, ProviderPath
from order_service.refusals import FeedTooOld
from order_service.services import Services

payments = signed_in("payments", __name__)
payment_events = public("payment events", __name__)


@payments.post(
    "/orders/<order_id>/payment",
    operation_id="open_payment_page",
    responses=responses({200: PaymentPageOut}, 401, 404, rules.NotPayable, rules.PaymentUnavailable, FeedTooOld),
)
def open_page(services: Services, caller: Caller, path: OrderPath) -> JsonResponse:
    """Open the page on which the order is paid; while it is open, the same one again."""
    whose = {"buyer_id": caller.user_id, "order_id": path.order_id}
    back = rules.return_url(services.settings.public_url, order_key(path.order_id))
    url = actions.open_page(services.database, services.payments, **whose, return_url=back)
    return json_response({"url": url, "pay_until": queries.pay_until(services.database, **whose)})


@payment_events.post(
    "/payments/<provider>/events",
    operation_id="receive_payment_event",
    responses=responses({200: EventOut}, 400, rules.InvalidSignature, 404, 413, 415),
)
def receive_event(services: Services, path: ProviderPath, raw: EventBody) -> JsonResponse:
    """Receive an event of the payment provider; its signature is what authenticates it."""
    provider = services.payments
    if provider is None or provider.name != path.provider:
        raise NotFound
    outcome = actions.receive_event(services.database, provider, raw.content, dict(raw.headers))
    return json_response({"outcome": outcome})
