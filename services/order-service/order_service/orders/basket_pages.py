"""The page of the basket."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Annotated, Literal
from urllib.parse import urlencode

from flask import Response, request
from pydantic import Field

from chassis.http.api import Query, WholeNumber, identifier
from chassis.pages.basket import BasketFull, Line, read_basket, write_basket
from chassis.pages.blueprint import public_pages
from chassis.pages.responses import go_to, page
from chassis.problems import NotFound
from order_service.catalog import pictures
from order_service.checkout.limits import LARGEST_QTY
from order_service.orders.basket import Basket, look_up
from order_service.services import current_services

basket_pages = public_pages("basket pages", __name__, "/shop")

LARGEST_BASKET = 100  # lines of a form; a basket holds fewer
BASKET, CHECKOUT = "/shop/basket", "/shop/checkout"


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
    return basket_page(current_basket())


def current_basket() -> Basket:
    """Return the visitor's basket at today's prices and stock."""
    services = current_services()
    return look_up(services.database, read_basket(services.settings))


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
    tidy = form.do == "tidy"
    lines = current_basket().cookie_lines() if tidy else _changed(read_basket(services.settings), form)
    response = go_to(_after(form))
    try:
        write_basket(response, services.settings, lines)
    except BasketFull:
        full = "Your basket is full. Order what is in it first, or remove something."
        return basket_page(current_basket(), 409, full)
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
