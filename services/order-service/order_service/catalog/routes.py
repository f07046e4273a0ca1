"""Public routes of the catalogue."""

from __future__ import annotations

from chassis.http.api import public
from chassis.http.openapi import responses
from chassis.http.response_cache import cached
from chassis.http.responses import JsonResponse, json_page, json_response, raw_json, with_etag
from order_service.catalog import queries
from order_service.catalog.schemas import (
    CategoriesOut,
    CategoryQuery,
    ProductOut,
    ProductPath,
    ProductQuery,
    ProductsOut,
)
from order_service.services import Services

catalog = public("catalog", __name__)


@catalog.get("/products", responses=responses({200: ProductsOut}, 400, headers=("ETag", "Link")))
@cached
def list_products(services: Services, query: ProductQuery) -> JsonResponse:
    """List the products, a page at a time; search, filter, sort."""
    documents, next_cursor = queries.list_products(
        services.database, language=services.settings.search_language, **query.model_dump()
    )
    return with_etag(json_page(documents, next_cursor))


@catalog.get("/categories", responses=responses({200: CategoriesOut}, 400, headers=("ETag",)))
def list_categories(services: Services, query: CategoryQuery) -> JsonResponse:  # noqa: ARG001 - it refuses parameters
    """List the categories with the number of their products, by name."""
    return with_etag(json_response(services.categories.counts()))


@catalog.get("/products/<product_id>", responses=responses({200: ProductOut}, 400, 404, headers=("ETag",)))
def show_product(services: Services, path: ProductPath) -> JsonResponse:
    """Show one product."""
    return with_etag(raw_json(queries.get_product(services.database, product_id=path.product_id)))
