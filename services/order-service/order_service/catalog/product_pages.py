"""Pages with which staff find, add and change products."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
from flask import Response, request

from chassis.pages.blueprint import staff_pages
from chassis.pages.forms import Form, form_page
from chassis.pages.responses import go_to, page
from chassis.pages.urls import with_parameters
from chassis.pages.visitors import caller
from chassis.problems import InvalidRequest
from order_service.catalog import actions, fields, pictures, queries, rules
from order_service.catalog.product_forms import CURRENCIES, changed, product_form, shown_values, version, whole_number
from order_service.catalog.schemas import ProductPath
from order_service.catalog.staff_schemas import ChangeProduct, CreateProduct, StaffProductQuery
from order_service.services import current_services

product_pages = staff_pages("product pages", __name__, "/backoffice")

PRODUCTS = "/backoffice/products"
PAGE_SIZE = 50
FEW = 5
"""From this stock down, a product is low: lists mark it."""
MOST_VARIANTS = 50
LARGEST_FORM = 256 * 1024  # a description and twenty pictures, percent-encoded

_FILTERS = ("q", "category", "group", "active", "in_stock", "sort")


@product_pages.before_request
def allow_long_descriptions() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FORM


@product_pages.get("/products")
def list_products() -> Response:
    """List products, inactive ones too."""
    given = {name: text for name in (*_FILTERS, "after") if (text := request.args.get(name, "").strip())}
    query = StaffProductQuery.model_validate({**given, **_low(given), "limit": str(PAGE_SIZE)})
    services = current_services()
    documents, next_cursor = queries.list_for_staff(
        services.database, language=services.settings.search_language, **query.model_dump()
    )
    return page(
        "catalog/staff-products.html",
        products=[*map(orjson.loads, documents)],
        categories=[category["name"] for category in services.categories.counts()],
        given=given,
        url=lambda **changes: with_parameters(PRODUCTS, {**given, "after": None, **changes}),
        next_url=next_cursor and with_parameters(PRODUCTS, {**given, "after": next_cursor}),
        few=FEW,
        picture=pictures.url,
    )


def _low(given: dict[str, str]) -> dict[str, str | None]:
    """Return what the choice "low" stands for: for sale, but only a few left."""
    low = given.get("in_stock") == "low"
    return {"in_stock": None, "active": "true", "stock_max": str(FEW)} if low else {}


def product_url(product_id: str) -> str:
    return f"{PRODUCTS}/{quote(product_id, safe='')}"


@product_pages.get("/new-product")
def ask_for_product() -> Response:
    """Ask for a new product; `like` names one whose values stand in the form."""
    values = {"currency": "EUR", "tax_class": fields.STANDARD, "stock": "0"}
    if like := request.args.get("like"):
        product = read_product(ProductPath(product_id=like).product_id)
        values |= shown_values(product) | {"group": product["group"] or product["id"]}
    form: Form[CreateProduct] = Form(values)
    form.status = 200
    return new_product_page(form)


def new_product_page(form: Form[CreateProduct]) -> Response:
    return form_page("catalog/staff-new-product.html", form, currencies=CURRENCIES)


@product_pages.post("/new-product")
def create_product() -> Response:
    """Add a product."""
    services = current_services()
    form = product_form(CreateProduct, {"id": str, "stock": whole_number})
    if form.model is None:
        return new_product_page(form)
    try:
        actions.create_product(
            services.database,
            staff=caller(),
            language=services.settings.search_language,
            values=form.model.model_dump(),
        )
    except rules.BadPrice as refused:
        form.refuse_with(refused)
    except rules.ProductExists as refused:
        form.answer_as(refused)
        form.refuse_with(refused, "id")
    else:
        return go_to(f"{product_url(form.model.id)}?done=added")
    return new_product_page(form)


@product_pages.get("/products/<product_id>")
def show_product(product_id: str) -> Response:
    """Show a product in a form, with its stock and its variants."""
    product = read_product(ProductPath(product_id=product_id).product_id)
    return product_page(product, Form(shown_values(product)), 200)


def read_product(product_id: str) -> dict[str, Any]:
    product: dict[str, Any] = orjson.loads(queries.get_for_staff(current_services().database, product_id=product_id))
    return product


def product_page(product: dict[str, Any], form: Form[Any], status: int) -> Response:
    return page(
        "catalog/staff-product.html",
        status,
        product=product,
        form=form,
        version=version(product),
        variants=variants(product),
        currencies=CURRENCIES,
        few=FEW,
        picture=pictures.url,
        done=request.args.get("done"),
    )


def variants(product: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the products of the same group, this one too."""
    if product["group"] is None:
        return []
    query = StaffProductQuery(group=product["group"], limit=MOST_VARIANTS)
    services = current_services()
    documents, _ = queries.list_for_staff(
        services.database, language=services.settings.search_language, **query.model_dump()
    )
    return [*map(orjson.loads, documents)]


@product_pages.post("/products/<product_id>")
def change_product(product_id: str) -> Response:
    """Change a product, unless somebody else has since the form was shown."""
    product = read_product(ProductPath(product_id=product_id).product_id)
    form = product_form(ChangeProduct, {})
    if form.model and request.form.get("version") != version(product):
        form.status = 409
        form.refuse("Somebody has changed this product since you opened it. Look at it again before you save.")
    if form.model is None or form.errors:
        return product_page(product, form, form.status)
    try:
        _change(product["id"], {name: getattr(form.model, name) for name in changed(product, form.values)})
    except rules.BadPrice as refused:
        form.refuse_with(refused)
        return product_page(product, form, refused.status)
    return go_to(f"{product_url(product['id'])}?done=saved")


@product_pages.post("/products/<product_id>/active")
def switch_product(product_id: str) -> Response:
    """Deactivate or activate a product."""
    path = ProductPath(product_id=product_id)
    do = request.form.get("do", "")
    if do not in {"activate", "deactivate"}:
        raise InvalidRequest("use the buttons of the page")
    active = do == "activate"
    _change(path.product_id, {"active": active})
    return go_to(f"{product_url(path.product_id)}?done={'active' if active else 'inactive'}")


def _change(product_id: str, changes: dict[str, Any]) -> None:
    services = current_services()
    actions.change_product(
        services.database,
        staff=caller(),
        language=services.settings.search_language,
        product_id=product_id,
        changes=changes,
    )
