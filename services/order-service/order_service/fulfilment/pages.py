"""Pages with which staff find orders and read one order's whole story."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from chassis.http.audit import AuditQuery, read_audit
from chassis.pages import formatting
from chassis.pages.audit import Days, changes
from chassis.pages.blueprint import staff_pages
from chassis.pages.forms import Form, form_page
from chassis.pages.responses import PRIVATE, go_to, page
from chassis.pages.urls import with_parameters
from order_service.fulfilment import exporter, order_search, queries, story, texts
from order_service.fulfilment.order_search import OrderSearch
from order_service.fulfilment.schemas import Shipment
from order_service.orders.states import ACTIONS
from order_service.services import current_services

all_order_pages = staff_pages("all order pages", __name__, "/backoffice")

ORDERS = "/backoffice/orders"
PAGE_SIZE = 50
MOST_ENTRIES = 50
_FILTERS = ("q", "view", "status", "payment", "user_id", "since", "until")


@all_order_pages.get("/orders")
def list_orders() -> Response:
    """List and search all orders, newest first."""
    given = {name: text for name in (*_FILTERS, "after") if (text := request.args.get(name, "").strip())}
    asked = OrderSearch.model_validate(given)
    if asked.q and order_search.ORDER_ID.fullmatch(asked.q):
        return go_to(order_url(asked.q))
    documents, next_cursor = order_search.find(current_services().database, asked, PAGE_SIZE)
    return page(
        "fulfilment/orders.html",
        orders=[*map(orjson.loads, documents)],
        given=given,
        texts=texts,
        views=order_search.VIEWS,
        filtered=given.keys() - {"view", "after"},
        download=with_parameters(f"{ORDERS}.csv", {name: given.get(name) for name in ("since", "until")}),
        url=lambda **changed: with_parameters(ORDERS, {**given, "after": None, **changed}),
        next_url=next_cursor and with_parameters(ORDERS, {**given, "after": next_cursor}),
    )


@all_order_pages.get("/orders.csv")
def export() -> Response:
    """Download the orders of some days for the accountant."""
    asked = Days.model_validate({name: text for name in Days.model_fields if (text := request.args.get(name, ""))})
    content = "".join(exporter.export(current_services().database, **order_search.days(asked)))
    name = "-".join(["orders", *(str(day) for day in (asked.since, asked.until) if day)])
    headers = {"Cache-Control": PRIVATE, "Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(content, headers=headers, content_type="text/csv; charset=utf-8")


def order_url(order_id: str, done: str = "") -> str:
    return with_parameters(f"{ORDERS}/{order_id}", {"done": done})


@all_order_pages.get("/orders/<order_id>")
def show_order(order_id: str) -> Response:
    """Show one order, and the forms of what its state accepts."""
    order = read_order(order_id)
    form: Form[Shipment] = Form(order["shipment"] or {})
    form.status = 200
    return order_page(order, form)


def read_order(order_id: str) -> dict[str, Any]:
    """Return an order's document, with what its state accepts; raise NotFound."""
    order: dict[str, Any] = orjson.loads(queries.get_order(current_services().database, order_id=order_id))
    order["accepts"] = {
        name for name, action in ACTIONS.items() if action.accepts(order["status"], order["payment"]["status"])
    }
    return order


def order_page(order: dict[str, Any], form: Form[Any]) -> Response:
    return form_page(
        "fulfilment/order.html",
        form,
        order=order,
        refunded={line["line"]: line for line in order["lines"]},
        story=story.of(order),
        entries=entries_about(order),
        texts=texts,
        done=request.args.get("done"),
    )


def entries_about(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what staff changed about an order, newest first."""
    query = AuditQuery(subject=order["order_id"], limit=MOST_ENTRIES)
    entries, _ = read_audit(current_services().database, query)
    return [
        {**entry, "changes": [*changes(readable(entry["before"]), readable(entry["after"], order["currency"]))]}
        for entry in entries
    ]


def readable(values: Any, currency: str = "") -> dict[str, Any]:
    """Return the values of an audit entry about an order as people read them."""
    shown = {name: texts.PAYMENTS.get(value, value) if name == "payment_status" else value
             for name, value in (values or {}).items() if name != "refund_id"}  # fmt: skip
    if currency and isinstance(amount := shown.get("amount"), int | float):
        shown["amount"] = formatting.price(amount, currency)
    return shown
