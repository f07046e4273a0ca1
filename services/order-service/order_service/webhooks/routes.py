"""Routes with which staff set up webhooks and watch their deliveries."""

from __future__ import annotations

from chassis.auth.roles import REFUSALS
from chassis.context import Caller
from chassis.http.api import staff
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_page, json_response, no_content, raw_json
from order_service.orders.rules import FeedTooOld
from order_service.services import Services
from order_service.webhooks import actions, queries, rules
from order_service.webhooks.schemas import (
    DeliveriesOut,
    DeliveryOut,
    DeliveryPath,
    DeliveryQuery,
    NewWebhookOut,
    SecretOut,
    WebhookChange,
    WebhookIn,
    WebhookOut,
    WebhookPath,
    WebhooksOut,
)

webhooks = staff("webhooks", __name__)

ALWAYS = (401, *REFUSALS, FeedTooOld)
BODY = (400, rules.BadUrl, 413, 415)


@webhooks.post(
    "/admin/webhooks",
    operation_id="create_webhook",
    responses=responses({201: NewWebhookOut}, *BODY, *ALWAYS, headers=("Location",)),
)
def create(services: Services, caller: Caller, body: WebhookIn) -> JsonResponse:
    """Create a webhook; its secret is in this response only."""
    made = actions.create(
        services.database, staff=caller, url=body.url, types=body.types, local=not services.settings.https
    )
    response = json_response(made, status=201)
    response.headers["Location"] = f"/admin/webhooks/{made['id']}/deliveries"
    return response


@webhooks.get("/admin/webhooks", operation_id="list_webhooks", responses=responses({200: WebhooksOut}, *ALWAYS))
def list_webhooks(services: Services) -> JsonResponse:
    """List the webhooks, oldest first."""
    return json_page(queries.list_webhooks(services.database), None)


@webhooks.patch(
    "/admin/webhooks/<webhook_id>",
    operation_id="change_webhook",
    responses=responses({200: WebhookOut}, *BODY, 404, *ALWAYS),
)
def change(services: Services, caller: Caller, path: WebhookPath, body: WebhookChange) -> JsonResponse:
    """Change a webhook's URL or types, switch it off or on."""
    webhook_id = rules.uuid_of(path.webhook_id, "w-")
    local = not services.settings.https
    changed = actions.change(services.database, staff=caller, webhook_id=webhook_id, local=local, **body.model_dump())
    return raw_json(changed)


@webhooks.delete(
    "/admin/webhooks/<webhook_id>",
    operation_id="delete_webhook",
    responses=responses({204: None}, 404, *ALWAYS),
)
def delete(services: Services, caller: Caller, path: WebhookPath) -> JsonResponse:
    """Delete a webhook with its deliveries."""
    actions.delete(services.database, staff=caller, webhook_id=rules.uuid_of(path.webhook_id, "w-"))
    return no_content()


@webhooks.post(
    "/admin/webhooks/<webhook_id>/secret",
    operation_id="rotate_webhook_secret",
    responses=responses({200: SecretOut}, 404, *ALWAYS),
)
def rotate_secret(services: Services, caller: Caller, path: WebhookPath) -> JsonResponse:
    """Replace a webhook's secret; for a day the old one signs too."""
    webhook_id = rules.uuid_of(path.webhook_id, "w-")
    return json_response(actions.rotate_secret(services.database, staff=caller, webhook_id=webhook_id))


@webhooks.get(
    "/admin/webhooks/<webhook_id>/deliveries",
    operation_id="list_deliveries",
    responses=responses({200: DeliveriesOut}, 400, 404, *ALWAYS, headers=("Link",)),
)
def list_deliveries(services: Services, path: WebhookPath, query: DeliveryQuery) -> JsonResponse:
    """List the deliveries of a webhook, the newest event first."""
    webhook_id = rules.uuid_of(path.webhook_id, "w-")
    return json_page(*queries.list_deliveries(services.database, webhook_id=webhook_id, **query.model_dump()))


@webhooks.post(
    "/admin/webhooks/<webhook_id>/deliveries/<event_id>/replay",
    operation_id="replay_delivery",
    responses=responses({200: DeliveryOut}, 404, *ALWAYS),
)
def replay(services: Services, caller: Caller, path: DeliveryPath) -> JsonResponse:
    """Deliver an event to a webhook again."""
    webhook_id, event_id = rules.uuid_of(path.webhook_id, "w-"), rules.uuid_of(path.event_id, "e-")
    return raw_json(actions.replay(services.database, staff=caller, webhook_id=webhook_id, event_id=event_id))
