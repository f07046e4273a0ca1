"""Routes with which staff run the catalogue."""

from __future__ import annotations

from urllib.parse import quote

from chassis.auth.roles import REFUSALS
from chassis.context import Caller
from chassis.http.api import staff
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_page, json_response, raw_json
from order_service.catalog import actions, exporter, importer, queries, rules
from order_service.catalog.import_file import Options
from order_service.catalog.schemas import ProductPath
from order_service.catalog.staff_schemas import (
    AdjustHeaders,
    AdjustStock,
    ChangeProduct,
    CreateProduct,
    CsvFile,
    ImportOut,
    ImportQuery,
    MovementsOut,
    MovementsQuery,
    StaffProductOut,
    StaffProductQuery,
    StaffProductsOut,
)
from order_service.refusals import FeedTooOld, KeyReused
from order_service.services import Services

products = staff("products", __name__)
ALWAYS = (401, *REFUSALS, FeedTooOld)


@products.get(
    "/admin/products",
    operation_id="list_all_products",
    responses=responses({200: StaffProductsOut}, 400, *ALWAYS, headers=("Link",)),
)
def list_products(services: Services, query: StaffProductQuery) -> JsonResponse:
    """List all products, inactive ones too."""
    language = services.settings.search_language
    return json_page(*queries.list_for_staff(services.database, language=language, **query.model_dump()))


@products.post(
    "/admin/products",
    operation_id="create_product",
    responses=responses({201: StaffProductOut}, 400, *ALWAYS, rules.ProductExists, 413, 415, headers=("Location",)),
)
def create(services: Services, caller: Caller, body: CreateProduct) -> JsonResponse:
    """Add a product."""
    language = services.settings.search_language
    values = body.model_dump()
    response = raw_json(actions.create_product(services.database, staff=caller, language=language, values=values), 201)
    response.headers["Location"] = f"/admin/products/{quote(body.id)}"
    return response


@products.get(
    "/admin/products/<product_id>",
    operation_id="show_any_product",
    responses=responses({200: StaffProductOut}, 400, *ALWAYS, 404),
)
def show(services: Services, path: ProductPath) -> JsonResponse:
    """Show a product, also an inactive one."""
    return raw_json(queries.get_for_staff(services.database, product_id=path.product_id))


@products.patch(
    "/admin/products/<product_id>",
    operation_id="change_product",
    responses=responses({200: StaffProductOut}, 400, *ALWAYS, 404, 413, 415),
)
def change(services: Services, caller: Caller, path: ProductPath, body: ChangeProduct) -> JsonResponse:
    """Change, deactivate or activate a product; its stock has a route of its own."""
    document = actions.change_product(
        services.database,
        staff=caller,
        language=services.settings.search_language,
        product_id=path.product_id,
        changes=body.model_dump(exclude_unset=True),
    )
    return raw_json(document)


@products.post(
    "/admin/products/<product_id>/stock",
    operation_id="adjust_stock",
    responses=responses({200: StaffProductOut}, 400, *ALWAYS, 404, rules.StockOutOfRange, 413, 415, KeyReused),
)
def adjust_stock(
    services: Services, caller: Caller, path: ProductPath, header: AdjustHeaders, body: AdjustStock
) -> JsonResponse:
    """Add units to the stock or take some, with a reason."""
    document = actions.adjust_stock(
        services.database,
        staff=caller,
        product_id=path.product_id,
        units=body.units,
        reason=body.reason,
        idempotency_key=header.idempotency_key,
    )
    return raw_json(document)


@products.get(
    "/admin/products/<product_id>/stock-movements",
    operation_id="list_stock_movements",
    responses=responses({200: MovementsOut}, 400, *ALWAYS, 404, headers=("Link",)),
)
def list_movements(services: Services, path: ProductPath, query: MovementsQuery) -> JsonResponse:
    """List what changed a product's stock, newest first; the sum of all units is the stock."""
    return json_page(
        *queries.list_movements(services.database, product_id=path.product_id, limit=query.limit, after=query.after)
    )


@products.post(
    "/admin/products/import",
    operation_id="import_products",
    responses=responses({200: ImportOut}, 400, *ALWAYS, 413, 415, rules.BadCatalogFile),
)
def import_products(services: Services, caller: Caller, query: ImportQuery, raw: CsvFile) -> JsonResponse:
    """Import a CSV file, completely or not at all; as a dry run, say what it would change."""
    plan = importer.Plan(query.stock, query.deactivate_missing, services.settings.search_language, caller)
    options = Options(query.encoding, query.decimal, query.source, query.currency)
    file, result = actions.import_products(
        services.database, content=raw.content, options=options, plan=plan, dry_run=query.dry_run
    )
    faults = sorted([*file.faults, *result.faults])
    report = {
        "dry_run": query.dry_run,
        "added": result.added,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "deactivated": result.deactivated,
        "stock_changed": result.moved,
        "notes": file.notes,
        "changes": result.changes,
        "refused": len(faults),
        "rows": [fault._asdict() for fault in faults[: importer.MOST_CHANGES_SHOWN]],
    }
    return json_response(report)


CSV = {"description": "The catalogue as a file", "content": {"text/csv": {"schema": {"type": "string"}}}}


@products.get("/admin/products/export", operation_id="export_products", responses=responses({200: CSV}, *ALWAYS))
def export_products(services: Services) -> JsonResponse:
    """Export all products as the CSV file that the import reads."""
    content = "".join(exporter.export(services.database.fetch_all)).encode()
    headers = {"Content-Disposition": 'attachment; filename="products.csv"'}
    return JsonResponse(content, headers=headers, content_type="text/csv; charset=utf-8")
