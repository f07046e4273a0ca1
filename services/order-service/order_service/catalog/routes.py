"""GET /products and GET /products/<id>: anybody may look."""

from __future__ import annotations

from chassis.answers import Answer, conditional, document, page
from chassis.api import answers, public
from chassis.database import current_database
from chassis.express import express
from order_service.catalog import queries
from order_service.catalog.schemas import ProductOut, ProductPath, ProductQuery, ProductsOut

catalog = public("catalog", __name__)


@catalog.get("/products", responses=answers({200: ProductsOut}, 400))
def list_products(query: ProductQuery) -> Answer:
    """List the products, a page at a time; search, filter, sort."""
    documents, next_key = queries.list_products(current_database(), **query.model_dump())
    return conditional(page(documents, next_key))


@catalog.get("/products/<product_id>", responses=answers({200: ProductOut}, 400, 404))
@express
def show_product(path: ProductPath) -> Answer:
    """Show one product."""
    return conditional(document(queries.get_product(current_database(), product_id=path.product_id)))
