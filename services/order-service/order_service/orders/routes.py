"""Routes of the signed-in caller's own orders."""

from __future__ import annotations

from chassis.context import Caller
from chassis.http.api import signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_page, raw_json, with_etag
from order_service.orders import actions, queries, rules
from order_service.orders.schemas import ExportOut, OrderOut, OrderPath, OrderQuery, OrdersOut, PlaceHeaders, PlaceOrder
from order_service.services import Services

orders = signed_in("orders", __name__)


PLACING = responses(
    {201: OrderOut},
    *(400, rules.UnknownProduct, rules.TooMany, rules.MixedCurrencies, rules.ShippingUnavailable),
    *(
        401,
        rules.OutOfStock,
        rules.PriceChanged,
        rules.TooManyUnpaid,
        rules.StillInFlight,
        413,
        415,
        rules.KeyReused,
        rules.FeedTooOld,
    ),
    headers=("Location", "Idempotent-Replayed"),
)


@orders.post("/create_order", endpoint="create_order", operation_id="create_order", responses=PLACING)
@orders.post("/orders", operation_id="place_order", responses=PLACING)
def place(services: Services, caller: Caller, header: PlaceHeaders, body: PlaceOrder) -> JsonResponse:
    """Place an order at the catalogue's prices."""
    basket = rules.merge((line.product_id, line.qty) for line in body.items)
    placed = actions.place_order(
        services.database,
        buyer=caller,
        basket=basket,
        order=actions.NewOrder(
            ship_to=body.ship_to.model_dump() if body.ship_to else None,
            email=body.email,
            shipping_method=body.shipping_method,
            expected_total=body.expected_total,
        ),
        terms=services.terms,
        idempotency_key=header.idempotency_key,
    )
    response = raw_json(placed.receipt, status=201)
    response.headers["Location"] = f"/orders/{placed.order_id}"
    if placed.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@orders.get("/orders", responses=responses({200: OrdersOut}, 400, 401, rules.FeedTooOld, headers=("ETag", "Link")))
def list_orders(services: Services, caller: Caller, query: OrderQuery) -> JsonResponse:
    """List the caller's own orders, newest first."""
    documents, next_cursor = queries.list_orders(services.database, buyer_id=caller.user_id, **query.model_dump())
    return with_etag(json_page(documents, next_cursor))


@orders.get(
    "/orders/export", operation_id="export_orders", responses=responses({200: ExportOut}, 401, rules.FeedTooOld)
)
def export(services: Services, caller: Caller) -> JsonResponse:
    """Export all orders of the caller; user-service exports the account."""
    return raw_json(queries.export(services.database, buyer_id=caller.user_id))


@orders.get("/orders/<order_id>", responses=responses({200: OrderOut}, 401, 404, rules.FeedTooOld, headers=("ETag",)))
def show_order(services: Services, caller: Caller, path: OrderPath) -> JsonResponse:
    """Show one of the caller's own orders."""
    return with_etag(raw_json(queries.get_order(services.database, buyer_id=caller.user_id, order_id=path.order_id)))


@orders.post(
    "/orders/<order_id>/cancel",
    operation_id="cancel_order",
    responses=responses({200: OrderOut}, 401, 404, rules.NotCancellable, rules.FeedTooOld),
)
def cancel(services: Services, caller: Caller, path: OrderPath) -> JsonResponse:
    """Cancel an order with the status placed; its units return to stock."""
    return raw_json(actions.cancel_order(services.database, buyer_id=caller.user_id, order_id=path.order_id))
