"""GET /products and GET /products/<id>: anybody may look."""

from __future__ import annotations

from chassis.db.database import current_database
from chassis.http.api import public, responses
from chassis.http.dispatch import express
from chassis.http.responses import JsonResponse, json_page, raw_json, with_etag
from order_service.catalog import queries
from order_service.catalog.schemas import ProductOut, ProductPath, ProductQuery, ProductsOut

catalog = public("catalog", __name__)


@catalog.get("/products", responses=responses({200: ProductsOut}, 400))
def list_products(query: ProductQuery) -> JsonResponse:
    """List the products, a json_page at a time; search, filter, sort."""
    documents, next_key = queries.list_products(current_database(), **query.model_dump())
    return with_etag(json_page(documents, next_key))


@catalog.get("/products/<product_id>", responses=responses({200: ProductOut}, 400, 404))
@express
def show_product(path: ProductPath) -> JsonResponse:
    """Show one product."""
    return with_etag(raw_json(queries.get_product(current_database(), product_id=path.product_id)))
