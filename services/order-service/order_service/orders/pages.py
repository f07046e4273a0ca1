"""Pages of the checkout and of the caller's own orders."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response, request

from chassis.http.postal import Address
from chassis.pages.basket import write_basket
from chassis.pages.blueprint import signed_in_pages
from chassis.pages.cookies import TOKEN
from chassis.pages.forms import Form, read_form, typed
from chassis.pages.responses import download_json, go_to, page
from chassis.pages.visitors import caller
from chassis.problems import Conflict, Problem
from order_service.orders import actions, queries, rules
from order_service.orders.basket import Basket
from order_service.orders.basket_pages import BASKET, basket_page, current_basket
from order_service.orders.saved_address import digest
from order_service.orders.schemas import OrderQuery, PlaceHeaders
from order_service.services import current_services

order_pages = signed_in_pages("order pages", __name__, "/shop")

ORDERS = "/shop/orders"
PAGE_SIZE = 20


@order_pages.get("/checkout")
def checkout() -> Response:
    """Ask where to send the basket."""
    basket = current_basket()
    if not basket.can_be_ordered or basket.gone:
        return go_to(BASKET)
    return checkout_page(basket, Form({"to": "saved", "country": "", "key": new_key()}))


def checkout_page(basket: Basket, form: Form[Address], status: int = 200, problem: str = "") -> Response:
    saved = saved_address()
    return page(
        "orders/checkout.html",
        status,
        basket=basket,
        form=form,
        problem=problem,
        saved=saved,
        shown=digest(saved) if saved else "",
    )


def saved_address() -> dict[str, Any] | None:
    """Return the address of the caller's profile; None when there is none, or it cannot be had now."""
    services = current_services()
    if services.saved_addresses is None or not services.sign_in_available():
        return None
    return services.saved_addresses.get(TOKEN.read(services.settings))


@order_pages.post("/checkout")
def order() -> Response:
    """Place the order for what the page showed; anything else is shown again first."""
    services = current_services()
    basket = current_basket()
    if not basket.can_be_ordered or basket.gone:
        return go_to(BASKET)
    form = address_form()
    if not form.values["key"]:  # without it, the same form sent twice would be two orders
        form.values = {**form.values, "key": new_key()}
        return checkout_page(basket, form, 400, "Something was missing. Please look at your order and place it again.")
    if form.model is None:
        return checkout_page(basket, form, 400)
    if changed := what_changed(basket, form.values, form.model):
        return checkout_page(basket, form, 409, changed)
    try:
        placed = actions.place_order(
            services.database,
            buyer=caller(),
            basket={line.product["id"]: line.qty for line in basket.lines},
            order=actions.NewOrder(ship_to=form.model.model_dump()),
            terms=services.terms,
            idempotency_key=idempotency_key(form.values["key"]),
        )
    except (Conflict, rules.UnknownProduct, rules.KeyReused) as refused:
        return after_refusal(refused)
    response = go_to(f"{ORDERS}/{placed.order_id}?done=placed")
    write_basket(response, services.settings, [])
    return response


def address_form() -> Form[Address]:
    """Return the address of this order: the saved one, or the one that was typed."""
    values = typed((*Address.model_fields, "to", "key", "saved", "total"))
    saved = saved_address() if values["to"] == "saved" else None
    form = read_form(Address, saved or {name: values[name] for name in Address.model_fields})
    form.values = values
    return form


def what_changed(basket: Basket, sent: Mapping[str, Any], address: Address) -> str:
    """Return what is no longer as the page showed it."""
    if str(basket.total) != sent["total"]:
        return "Prices or your basket have changed. Please look at the total again."
    if sent["to"] == "saved" and sent["saved"] != digest(address.model_dump()):
        return "Your saved address has changed. Please look at it again."
    return ""


def new_key() -> str:
    return secrets.token_urlsafe(16)


def idempotency_key(key: str) -> str | None:
    return PlaceHeaders.model_validate({"Idempotency-Key": key}).idempotency_key


def after_refusal(refused: Problem) -> Response:
    """Show the basket as it is now, with the reason why it could not be ordered."""
    texts = {
        rules.OutOfStock.code: "Somebody else was faster: not everything in your basket is still there.",
        rules.KeyReused.code: "This order was sent before. Look at your orders before you send it again.",
        rules.StillInFlight.code: "Your order is still being worked on. Look at your orders in a moment.",
    }
    return basket_page(current_basket(), refused.status, texts.get(refused.code, "Your basket has changed."))


@order_pages.get("/orders")
def list_orders() -> Response:
    """List the caller's orders, newest first."""
    query = OrderQuery(limit=PAGE_SIZE, after=request.args.get("after") or None)
    documents, next_cursor = queries.list_orders(
        current_services().database, buyer_id=caller().user_id, **query.model_dump()
    )
    orders = [*map(orjson.loads, documents)]
    return page("orders/orders.html", orders=orders, next_cursor=next_cursor, continued=query.after is not None)


@order_pages.get("/orders/<order_id>")
def show_order(order_id: str) -> Response:
    """Show one order."""
    return page(
        "orders/order.html", order=_order(order_id), done=request.args.get("done"), may_cancel=rules.CANCELLABLE
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
