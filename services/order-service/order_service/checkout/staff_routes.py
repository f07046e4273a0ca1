"""Routes with which staff change shipping methods and tax rates."""

from __future__ import annotations

from chassis.auth.roles import REFUSALS
from chassis.context import Caller
from chassis.http.api import staff
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response, no_content
from order_service.catalog.staff_routes import CSV
from order_service.catalog.staff_schemas import CsvFile
from order_service.checkout import rules, terms_actions, terms_tables
from order_service.checkout.staff_schemas import (
    ImportedOut,
    MethodPath,
    RatePath,
    ShippingMethodIn,
    ShippingMethodOut,
    ShippingMethodsOut,
    TaxRateIn,
    TaxRateOut,
    TaxRatesOut,
)
from order_service.checkout.terms_tables import SHIPPING, TAX, TermsTable
from order_service.refusals import FeedTooOld
from order_service.services import Services

terms_routes = staff("shipping and tax", __name__)
ALWAYS = (401, *REFUSALS, FeedTooOld)
METHODS, RATES = "/admin/shipping-methods", "/admin/tax-rates"
IMPORTED = responses({200: ImportedOut}, *ALWAYS, 413, 415, rules.BadTermsFile)


@terms_routes.get(
    METHODS, operation_id="list_shipping_methods", responses=responses({200: ShippingMethodsOut}, *ALWAYS)
)
def list_methods(services: Services) -> JsonResponse:
    """List the shipping methods, inactive ones too."""
    return json_response([row.document for row in terms_actions.rows(services.database, SHIPPING)])


@terms_routes.put(
    f"{METHODS}/<method_id>",
    operation_id="put_shipping_method",
    responses=responses({200: ShippingMethodOut}, 400, *ALWAYS, 413, 415),
)
def put_method(services: Services, caller: Caller, path: MethodPath, body: ShippingMethodIn) -> JsonResponse:
    """Add a shipping method, or replace it; orders keep what they were quoted."""
    return json_response(
        terms_actions.put_method(services.database, staff=caller, method_id=path.method_id, method=body)
    )


@terms_routes.delete(
    f"{METHODS}/<method_id>",
    operation_id="delete_shipping_method",
    responses=responses({204: None}, 400, *ALWAYS, 404),
)
def delete_method(services: Services, caller: Caller, path: MethodPath) -> JsonResponse:
    """Delete a shipping method."""
    terms_actions.delete_method(services.database, staff=caller, method_id=path.method_id)
    return no_content()


@terms_routes.get(RATES, operation_id="list_tax_rates", responses=responses({200: TaxRatesOut}, *ALWAYS))
def list_rates(services: Services) -> JsonResponse:
    """List the tax rates by country and tax class."""
    return json_response([row.document for row in terms_actions.rows(services.database, TAX)])


@terms_routes.put(
    f"{RATES}/<country>/<tax_class>",
    operation_id="put_tax_rate",
    responses=responses({200: TaxRateOut}, 400, *ALWAYS, 413, 415),
)
def put_rate(services: Services, caller: Caller, path: RatePath, body: TaxRateIn) -> JsonResponse:
    """Add the rate of a tax class in a country, or replace it."""
    return json_response(terms_actions.put_rate(services.database, staff=caller, path=path, rate=body))


@terms_routes.delete(
    f"{RATES}/<country>/<tax_class>",
    operation_id="delete_tax_rate",
    responses=responses({204: None}, 400, *ALWAYS, 404),
)
def delete_rate(services: Services, caller: Caller, path: RatePath) -> JsonResponse:
    """Delete a tax rate."""
    terms_actions.delete_rate(services.database, staff=caller, path=path)
    return no_content()


@terms_routes.get(f"{METHODS}/export", operation_id="export_shipping_methods", responses=responses({200: CSV}, *ALWAYS))
def export_methods(services: Services) -> JsonResponse:
    """Export the shipping methods as the CSV file that the import reads."""
    return _file(services, SHIPPING)


@terms_routes.get(f"{RATES}/export", operation_id="export_tax_rates", responses=responses({200: CSV}, *ALWAYS))
def export_rates(services: Services) -> JsonResponse:
    """Export the tax rates as the CSV file that the import reads."""
    return _file(services, TAX)


@terms_routes.post(f"{METHODS}/import", operation_id="import_shipping_methods", responses=IMPORTED)
def import_methods(services: Services, caller: Caller, raw: CsvFile) -> JsonResponse:
    """Replace all shipping methods by those of a CSV file, or none of them."""
    return json_response(
        {"rows": terms_actions.replace(services.database, SHIPPING, content=raw.content, staff=caller)}
    )


@terms_routes.post(f"{RATES}/import", operation_id="import_tax_rates", responses=IMPORTED)
def import_rates(services: Services, caller: Caller, raw: CsvFile) -> JsonResponse:
    """Replace all tax rates by those of a CSV file, or none of them."""
    return json_response({"rows": terms_actions.replace(services.database, TAX, content=raw.content, staff=caller)})


def _file(services: Services, table: TermsTable) -> JsonResponse:
    rows = [row._asdict() for row in terms_actions.rows(services.database, table)]
    headers = {"Content-Disposition": f'attachment; filename="{table.name}.csv"'}
    return JsonResponse(
        terms_tables.write(table, rows).encode(), headers=headers, content_type="text/csv; charset=utf-8"
    )
