"""Pages of the caller's own orders."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from chassis.pages.blueprint import signed_in_pages
from chassis.pages.responses import download_json, go_to, page
from chassis.pages.visitors import caller
from order_service.orders import actions, queries, rules
from order_service.orders.payment_pages import ORDERS
from order_service.orders.progress import progress
from order_service.orders.schemas import OrderQuery
from order_service.services import current_services

order_pages = signed_in_pages("order pages", __name__, "/shop")

PAGE_SIZE = 20


@order_pages.get("/orders")
def list_orders() -> Response:
    """List the caller's orders, newest first."""
    query = OrderQuery(limit=PAGE_SIZE, after=request.args.get("after") or None)
    documents, next_cursor = queries.list_orders(
        current_services().database, buyer_id=caller().user_id, **query.model_dump()
    )
    orders = [(order, progress(order)) for order in map(orjson.loads, documents)]
    return page("orders/orders.html", orders=orders, next_cursor=next_cursor, continued=query.after is not None)


@order_pages.get("/orders/<order_id>")
def show_order(order_id: str) -> Response:
    """Show one order, and what to do next."""
    order = _order(order_id)
    return page(
        "orders/order.html",
        order=order,
        progress=progress(order),
        done=request.args.get("done"),
        may_cancel=rules.CANCELLABLE,
    )


@order_pages.get("/orders/<order_id>/cancel")
def ask_to_cancel(order_id: str) -> Response:
    """Ask whether to cancel the order."""
    return page("orders/cancel.html", order=_order(order_id))


@order_pages.post("/orders/<order_id>/cancel")
def cancel_order(order_id: str) -> Response:
    """Cancel the order."""
    try:
        actions.cancel_order(current_services().database, buyer_id=caller().user_id, order_id=order_id)
    except rules.NotCancellable:
        return go_to(f"{ORDERS}/{order_id}?done=too-late")
    return go_to(f"{ORDERS}/{order_id}?done=cancelled")


@order_pages.get("/data/orders.json")
def download() -> Response:
    """Download what order-service knows about the caller."""
    document = queries.export(current_services().database, buyer_id=caller().user_id)
    return download_json(document, "orders.json")


def _order(order_id: str) -> dict[str, Any]:
    document = queries.get_order(current_services().database, buyer_id=caller().user_id, order_id=order_id)
    order: dict[str, Any] = orjson.loads(document)
    return order
