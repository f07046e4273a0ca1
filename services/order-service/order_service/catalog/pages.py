"""Public pages of the catalogue."""

from __future__ import annotations

import orjson
from flask import Response, request

from chassis.http.response_cache import cached
from chassis.pages.blueprint import public_pages
from chassis.pages.responses import PUBLIC, page
from chassis.pages.urls import with_parameters
from order_service.catalog import pictures, queries
from order_service.catalog.schemas import ProductPath, ProductQuery
from order_service.services import current_services

SHOP = "/shop"

catalog_pages = public_pages("catalog pages", __name__, SHOP)

PAGE_SIZE = 24
FEW = 5
"""From this stock down, a page tells how many are left."""

SORTS = {"": "Featured", "name": "Name", "price": "Price, lowest first", "-price": "Price, highest first"}
_FILTERS = ("q", "category", "sort")


@catalog_pages.get("")
@cached
def shop() -> Response:
    """Show a page of products, with search, categories and sort orders."""
    given = {name: request.args[name] for name in (*_FILTERS, "after") if request.args.get(name, "").strip()}
    query = ProductQuery.model_validate(given | {"limit": str(PAGE_SIZE)})
    services = current_services()
    documents, next_cursor = queries.list_products(
        services.database, language=services.settings.search_language, **query.model_dump()
    )
    return page(
        "catalog/shop.html",
        cache_control=PUBLIC,
        products=[*map(orjson.loads, documents)],
        categories=services.categories.counts(),
        query=query,
        sorts=SORTS,
        url=lambda **changes: with_parameters(SHOP, {**given, "after": None, **changes}),
        next_url=next_cursor and with_parameters(SHOP, {**given, "after": next_cursor}),
        few=FEW,
        picture=pictures.url,
    )


@catalog_pages.get("/products/<product_id>")
@cached
def product(product_id: str) -> Response:
    """Show one product."""
    path = ProductPath(product_id=product_id)
    found = orjson.loads(queries.get_product(current_services().database, product_id=path.product_id))
    return page("catalog/product.html", cache_control=PUBLIC, product=found, few=FEW, picture=pictures.url)


@catalog_pages.get("/pictures/<drawing>-<hue>.svg")
def picture(drawing: str, hue: str) -> Response:
    """Draw the picture of a product."""
    response = Response(pictures.draw(drawing, hue), content_type="image/svg+xml; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response
