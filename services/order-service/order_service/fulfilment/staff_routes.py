"""Routes with which staff find orders and send them on their way."""

from __future__ import annotations

from chassis.auth.roles import REFUSALS
from chassis.context import Caller
from chassis.http.api import staff
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_page, raw_json
from order_service.fulfilment import actions, exporter, queries, rules
from order_service.fulfilment.schemas import (
    Cancellation,
    ChangeContact,
    ExportQuery,
    Shipment,
    StaffOrderOut,
    StaffOrderQuery,
    StaffOrdersOut,
)
from order_service.orders.schemas import OrderPath
from order_service.refusals import FeedTooOld
from order_service.services import Services

all_orders = staff("all orders", __name__)
ALWAYS = (401, *REFUSALS, FeedTooOld)
BODY = (400, 413, 415)


@all_orders.get(
    "/admin/orders",
    operation_id="list_all_orders",
    responses=responses({200: StaffOrdersOut}, 400, *ALWAYS, headers=("Link",)),
)
def list_orders(services: Services, query: StaffOrderQuery) -> JsonResponse:
    """List and search all orders, newest first."""
    filters = query.model_dump(exclude={"limit", "after"})
    return json_page(*queries.list_orders(services.database, filters=filters, limit=query.limit, after=query.after))


CSV = {"description": "The orders as a file", "content": {"text/csv": {"schema": {"type": "string"}}}}


@all_orders.get(
    "/admin/orders/export",
    operation_id="export_all_orders",
    responses=responses({200: CSV}, 400, rules.ExportTooLarge, *ALWAYS),
)
def export_orders(services: Services, query: ExportQuery) -> JsonResponse:
    """Export the orders of a time as a CSV file for the accountant, oldest first."""
    parts = exporter.export(services.database, since=query.since, until=query.until)
    headers = {"Content-Disposition": 'attachment; filename="orders.csv"'}
    return JsonResponse(
        b"".join(part.encode() for part in parts), headers=headers, content_type="text/csv; charset=utf-8"
    )


@all_orders.get(
    "/admin/orders/<order_id>",
    operation_id="show_any_order",
    responses=responses({200: StaffOrderOut}, *ALWAYS, 404),
)
def show_order(services: Services, path: OrderPath) -> JsonResponse:
    """Show an order with its payments and refunds."""
    return raw_json(queries.get_order(services.database, order_id=path.order_id))


@all_orders.patch(
    "/admin/orders/<order_id>",
    operation_id="change_order",
    responses=responses({200: StaffOrderOut}, *BODY, *ALWAYS, 404, rules.NotChangeable, rules.CustomerErased),
)
def change(services: Services, caller: Caller, path: OrderPath, body: ChangeContact) -> JsonResponse:
    """Change where an order goes, or its email, until it is shipped."""
    changes = body.model_dump(exclude_unset=True)
    return raw_json(actions.change_contact(services.database, staff=caller, order_id=path.order_id, changes=changes))


@all_orders.post(
    "/admin/orders/<order_id>/ship",
    operation_id="ship_order",
    responses=responses({200: StaffOrderOut}, *BODY, *ALWAYS, 404, rules.NotShippable, rules.AddressNeeded),
)
def ship(services: Services, caller: Caller, path: OrderPath, body: Shipment) -> JsonResponse:
    """Note that an order was sent; the same request again is answered with the order."""
    return raw_json(actions.ship(services.database, staff=caller, order_id=path.order_id, **body.model_dump()))


@all_orders.put(
    "/admin/orders/<order_id>/tracking",
    operation_id="track_order",
    responses=responses({200: StaffOrderOut}, *BODY, *ALWAYS, 404, rules.NotTrackable),
)
def track(services: Services, caller: Caller, path: OrderPath, body: Shipment) -> JsonResponse:
    """Replace carrier and tracking of an order that was sent."""
    return raw_json(actions.track(services.database, staff=caller, order_id=path.order_id, **body.model_dump()))


@all_orders.post(
    "/admin/orders/<order_id>/deliver",
    operation_id="deliver_order",
    responses=responses({200: StaffOrderOut}, *ALWAYS, 404, rules.NotDeliverable),
)
def deliver(services: Services, caller: Caller, path: OrderPath) -> JsonResponse:
    """Note that an order arrived; the same request again is answered with the order."""
    return raw_json(actions.deliver(services.database, staff=caller, order_id=path.order_id))


@all_orders.post(
    "/admin/orders/<order_id>/cancel",
    operation_id="cancel_any_order",
    responses=responses({200: StaffOrderOut}, *BODY, *ALWAYS, 404, rules.NotCancellable),
)
def cancel(services: Services, caller: Caller, path: OrderPath, body: Cancellation) -> JsonResponse:
    """Cancel an order that was not sent; its units return to stock, and what was paid is refunded."""
    return raw_json(actions.cancel(services.database, staff=caller, order_id=path.order_id, reason=body.reason))
