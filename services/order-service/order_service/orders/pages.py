"""Pages of the basket, the checkout and the caller's own orders."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from itertools import chain, repeat
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import orjson
from flask import Response, request
from pydantic import Field

from chassis.http.api import Query, WholeNumber, identifier
from chassis.http.postal import Address
from chassis.pages.basket import BasketFull, Line, read_basket, write_basket
from chassis.pages.blueprint import public_pages, signed_in_pages
from chassis.pages.cookies import TOKEN
from chassis.pages.forms import Form, read_form, typed
from chassis.pages.responses import go_to, page
from chassis.pages.visitors import caller
from chassis.problems import Conflict, NotFound, Problem
from order_service.catalog import pictures
from order_service.orders import actions, queries, rules
from order_service.orders.basket import Basket, look_up
from order_service.orders.rules import LARGEST_QTY
from order_service.orders.saved_address import digest
from order_service.orders.schemas import OrderQuery, PlaceHeaders
from order_service.services import current_services

basket_pages = public_pages("basket pages", __name__, "/shop")
order_pages = signed_in_pages("order pages", __name__, "/shop")

LARGEST_BASKET = 100  # lines of a form; a basket holds fewer
BASKET, CHECKOUT, ORDERS = "/shop/basket", "/shop/checkout", "/shop/orders"
PAGE_SIZE = 20


class BasketForm(Query):
    """Products and their quantities, one by one; `remove` names the product whose button was pressed."""

    product_id: list[Annotated[str, identifier(100)]] = Field(default=[], max_length=LARGEST_BASKET)
    qty: list[Annotated[WholeNumber, Field(ge=0, le=LARGEST_QTY)]] = Field(default=[], max_length=LARGEST_BASKET)
    remove: str = ""
    do: Literal["add", "set", "checkout", "tidy"] = "set"

    def quantities(self) -> dict[str, int]:
        """Return the quantity of each product, one where none was sent."""
        quantities = dict(zip(self.product_id, chain(self.qty, repeat(1)), strict=False))
        return {**quantities, self.remove: 0} if self.remove else quantities


@basket_pages.get("/basket")
def show_basket() -> Response:
    """Show the basket at today's prices, with what changed since the visitor saw it."""
    return basket_page(look_up(current_services().database, read_basket(current_services().settings)))


def basket_page(basket: Basket, status: int = 200, problem: str = "") -> Response:
    added = request.args.get("added")
    name = next((line.product["name"] for line in basket.lines if line.product["id"] == added), None)
    return page("orders/basket.html", status, basket=basket, added=name, problem=problem, picture=pictures.url)


@basket_pages.post("/basket")
def change_basket() -> Response:
    """Add products to the basket, or set the quantities of those in it; then show it, or go on to the checkout."""
    lists = {name: request.form.getlist(name) for name in ("product_id", "qty")}
    others = {name: request.form[name] for name in ("remove", "do") if name in request.form}
    form = BasketForm.model_validate(others | lists)
    services = current_services()
    before = read_basket(services.settings)
    lines = look_up(services.database, before).cookie_lines() if form.do == "tidy" else _changed(before, form)
    response = go_to(_after(form))
    try:
        write_basket(response, services.settings, lines)
    except BasketFull:
        full = "Your basket is full. Order what is in it first, or remove something."
        return basket_page(look_up(services.database, before), 409, full)
    return response


def _after(form: BasketForm) -> str:
    if form.do == "add":
        return f"{BASKET}?{urlencode({'added': form.product_id[0]})}"
    return CHECKOUT if form.do == "checkout" and not form.remove else BASKET


def _changed(before: list[Line], form: BasketForm) -> list[Line]:
    """Return the lines of the basket after the change; those that the form names get the price of today."""
    wanted, adding = form.quantities(), form.do == "add"
    lines = {line.product_id: line for line in before}
    for product_id, qty in wanted.items():
        already = lines.get(product_id, Line(product_id, 0, 0))
        if adding or already.qty:
            more = already.qty if adding else 0
            lines[product_id] = already._replace(qty=min(qty + more, LARGEST_QTY))
    priced = {line.product["id"]: line.price for line in look_up(current_services().database, [*lines.values()]).lines}
    if adding and not (wanted and priced.keys() >= wanted.keys()):
        raise NotFound
    seen = {product_id: price for product_id, price in priced.items() if product_id in wanted}
    return [line._replace(price=seen.get(line.product_id, line.price)) for line in lines.values() if line.qty]


@order_pages.get("/checkout")
def checkout() -> Response:
    """Ask where to send the basket."""
    services = current_services()
    basket = look_up(services.database, read_basket(services.settings))
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
    basket = look_up(services.database, read_basket(services.settings))
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
            ship_to=form.model.model_dump(),
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
    services = current_services()
    basket = look_up(services.database, read_basket(services.settings))
    texts = {
        rules.OutOfStock.code: "Somebody else was faster: not everything in your basket is still there.",
        rules.KeyReused.code: "This order was sent before. Look at your orders before you send it again.",
        rules.StillInFlight.code: "Your order is still being worked on. Look at your orders in a moment.",
    }
    return basket_page(basket, refused.status, texts.get(refused.code, "Your basket has changed."))


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
    response = Response(document, content_type="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="orders.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _order(order_id: str) -> dict[str, Any]:
    document = queries.get_order(current_services().database, buyer_id=caller().user_id, order_id=order_id)
    order: dict[str, Any] = orjson.loads(document)
    return order
