"""Pages with which staff see what changed a product's stock, and adjust it."""

from __future__ import annotations

import secrets
from typing import Any

import orjson
from flask import Response, request

from chassis.http.api import Query
from chassis.pages.blueprint import staff_pages
from chassis.pages.forms import Form, typed
from chassis.pages.responses import go_to, page
from chassis.pages.urls import with_parameters
from chassis.pages.visitors import caller
from order_service.catalog import actions, queries, rules
from order_service.catalog.product_forms import read_with, whole_number
from order_service.catalog.product_pages import product_url, read_product
from order_service.catalog.schemas import ProductPath
from order_service.catalog.staff_schemas import AdjustStock
from order_service.idempotency import Key
from order_service.refusals import KeyReused
from order_service.services import current_services

stock_pages = staff_pages("stock pages", __name__, "/backoffice")

PAGE_SIZE = 50


class Repeated(Query):
    """What a form carries so that sending it twice adjusts the stock once."""

    key: Key | None = None


@stock_pages.get("/products/<product_id>/stock")
def list_movements(product_id: str) -> Response:
    """List what changed a product's stock, newest first."""
    return stock_page(read_product(ProductPath(product_id=product_id).product_id), Form({}), 200)


def stock_page(product: dict[str, Any], form: Form[AdjustStock], status: int) -> Response:
    documents, next_cursor = queries.list_movements(
        current_services().database,
        product_id=product["id"],
        limit=PAGE_SIZE,
        after=request.args.get("after") or None,
    )
    url = f"{product_url(product['id'])}/stock"
    return page(
        "catalog/staff-stock.html",
        status,
        product=product,
        form=form,
        movements=[*map(orjson.loads, documents)],
        key=secrets.token_urlsafe(16),
        done=request.args.get("done"),
        url=url,
        continued="after" in request.args,
        next_url=next_cursor and with_parameters(url, {"after": next_cursor}),
    )


@stock_pages.post("/products/<product_id>/stock")
def adjust_stock(product_id: str) -> Response:
    """Add units to a product's stock or take some, with a reason."""
    path = ProductPath(product_id=product_id)
    values = typed(AdjustStock.model_fields)
    given = {name: value for name, value in values.items() if value}
    form = read_with(AdjustStock, values, given, {"units": whole_number})
    key = Repeated(key=request.form.get("key") or None).key
    if form.model:
        try:
            actions.adjust_stock(
                current_services().database,
                staff=caller(),
                product_id=path.product_id,
                idempotency_key=key,
                **form.model.model_dump(),
            )
            return go_to(f"{product_url(path.product_id)}/stock?done=adjusted")
        except (rules.StockOutOfRange, KeyReused) as refused:
            form.answer_as(refused)
            form.refuse_with(refused, "units")
    return stock_page(read_product(path.product_id), form, form.status)
