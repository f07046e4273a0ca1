"""Orders: only signed-in callers may enter, and each finds only their own."""

from __future__ import annotations

from chassis.auth.tokens import caller
from chassis.db.database import current_database
from chassis.http.api import responses, signed_in
from chassis.http.dispatch import express
from chassis.http.responses import JsonResponse, json_page, raw_json, with_etag
from order_service.orders import actions, queries, rules
from order_service.orders.schemas import ExportOut, OrderOut, OrderPath, OrderQuery, OrdersOut, PlaceHeaders, PlaceOrder

orders = signed_in("orders", __name__)


@orders.post(
    "/create_order",
    endpoint="create_order",
    operation_id="create_order",
    responses=responses({201: OrderOut}, 400, 401, 409, 413, 415, 422),
)
@orders.post("/orders", operation_id="place_order", responses=responses({201: OrderOut}, 400, 401, 409, 413, 415, 422))
@express
def place(header: PlaceHeaders, body: PlaceOrder) -> JsonResponse:
    """Place an order at the catalogue's prices."""
    basket = rules.merge((line.product_id, line.qty) for line in body.items)
    placed = actions.place_order(
        current_database(),
        buyer=caller(),
        basket=basket,
        ship_to=body.ship_to.model_dump(exclude_none=True) if body.ship_to else None,
        idempotency_key=header.idempotency_key,
    )
    answer = raw_json(placed.receipt, status=201)
    answer.headers["Location"] = f"/orders/{placed.order_id}"
    if placed.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


@orders.get("/orders", responses=responses({200: OrdersOut}, 400, 401))
@express
def list_orders(query: OrderQuery) -> JsonResponse:
    """List the caller's own orders, newest first."""
    documents, next_key = queries.list_orders(current_database(), buyer_id=caller().user_id, **query.model_dump())
    return with_etag(json_page(documents, next_key))


@orders.get("/orders/export", responses=responses({200: ExportOut}, 401))
def export() -> JsonResponse:
    """Export all that is held on the caller here; user-service exports the account."""
    return raw_json(queries.export(current_database(), buyer_id=caller().user_id))


@orders.get("/orders/<order_id>", responses=responses({200: OrderOut}, 401, 404))
@express
def show_order(path: OrderPath) -> JsonResponse:
    """Show one of the caller's own orders."""
    return with_etag(raw_json(queries.get_order(current_database(), buyer_id=caller().user_id, order_id=path.order_id)))


@orders.post("/orders/<order_id>/cancel", responses=responses({200: OrderOut}, 401, 404, 409))
def cancel(path: OrderPath) -> JsonResponse:
    """Cancel an order that is still only placed; its goods go back on the shelf."""
    return raw_json(actions.cancel_order(current_database(), buyer_id=caller().user_id, order_id=path.order_id))
