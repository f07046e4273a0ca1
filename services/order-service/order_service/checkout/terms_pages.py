"""Pages with which staff change shipping methods and tax rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request

from chassis.http.parsing import LARGEST_FILE
from chassis.pages.blueprint import staff_pages
from chassis.pages.forms import Form, form_page, typed
from chassis.pages.responses import PRIVATE, go_to
from chassis.pages.visitors import caller
from chassis.problems import InvalidRequest, NotFound
from order_service.catalog import fields
from order_service.catalog.product_forms import CURRENCIES, read_with, whole_number
from order_service.checkout import rules, terms_actions, terms_tables
from order_service.checkout.staff_schemas import MethodPath, RatePath, ShippingMethodIn, TaxRateIn
from order_service.checkout.terms_tables import SHIPPING, TAX, TermsTable
from order_service.services import current_services

terms_pages = staff_pages("shipping and tax pages", __name__, "/backoffice")

SHIPPING_AND_TAX = "/backoffice/shipping"
TABLES = {table.name: table for table in (SHIPPING, TAX)}
METHOD = ("id", "name", "countries", "currency", "price", "free_from", "tax_class", "position")
NEW_METHOD = {"currency": "EUR", "tax_class": fields.STANDARD, "position": "0", "active": "yes"}


class MethodForm(ShippingMethodIn, MethodPath):
    """A shipping method with its id, as the form sends it."""


class RateForm(TaxRateIn, RatePath):
    """A tax rate with its key, as the form sends it."""


@terms_pages.before_request
def allow_files() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FILE


@terms_pages.get("/shipping")
def list_terms() -> Response:
    """List the shipping methods and tax rates."""
    form: Form[RateForm] = Form({"tax_class": fields.STANDARD})
    form.status = 200
    return terms_page(form)


def terms_page(form: Form[RateForm], refused: Any = None) -> Response:
    database = current_services().database
    return form_page(
        "checkout/terms.html",
        form,
        methods=[row.document for row in terms_actions.rows(database, SHIPPING)],
        rates=[row.document for row in terms_actions.rows(database, TAX)],
        refused=refused,
        done=request.args.get("done"),
    )


@terms_pages.get("/shipping/method")
def ask_for_method() -> Response:
    """Show a shipping method in a form; without `id` a new one."""
    form: Form[MethodForm] = Form(_shown(request.args["id"]) if "id" in request.args else NEW_METHOD)
    form.status = 200
    return method_page(form)


def method_page(form: Form[MethodForm]) -> Response:
    return form_page(
        "checkout/method.html", form, currencies=[(code, code) for code in CURRENCIES], known="id" in request.args
    )


def _shown(method_id: str) -> dict[str, str]:
    """Return a method's values as they are typed; raise NotFound."""
    rows = terms_actions.rows(current_services().database, SHIPPING)
    row = next((row for row in rows if row.id == method_id), None)
    if row is None:
        raise NotFound
    return {name: str(terms_tables.cell(row._asdict(), name)) for name in SHIPPING.columns}


@terms_pages.post("/shipping/method")
def save_method() -> Response:
    """Add or replace a shipping method."""
    values = typed(METHOD)
    values["active"] = "yes" if request.form.get("active") else "no"
    given = {("method_id" if name == "id" else name): text for name, text in values.items() if text}
    readers: dict[str, Callable[[str], Any]]
    readers = {"countries": str.split, "position": whole_number, "active": fields.active}
    form = read_with(MethodForm, values, given, readers)
    if form.model:
        method = ShippingMethodIn.model_construct(**form.model.model_dump(exclude={"method_id"}))
        try:
            terms_actions.put_method(
                current_services().database, staff=caller(), method_id=form.model.method_id, method=method
            )
        except InvalidRequest as refused:
            form.refuse_with(refused)
        else:
            return go_to(f"{SHIPPING_AND_TAX}?done=saved")
    if fault := form.errors.pop("method_id", None):
        form.refuse(fault, "id")
    return method_page(form)


@terms_pages.post("/shipping/method/delete")
def delete_method() -> Response:
    """Delete a shipping method."""
    path = MethodPath(method_id=request.form.get("id", ""))
    terms_actions.delete_method(current_services().database, staff=caller(), method_id=path.method_id)
    return go_to(f"{SHIPPING_AND_TAX}?done=deleted")


@terms_pages.post("/shipping/rate")
def save_rate() -> Response:
    """Add or replace a tax rate."""
    values = typed(RateForm.model_fields)
    form = read_with(RateForm, values, values, {"rate": terms_tables.rate})
    if form.model is None:
        return terms_page(form)
    path = RatePath.model_construct(country=form.model.country, tax_class=form.model.tax_class)
    rate = TaxRateIn.model_construct(rate=form.model.rate)
    terms_actions.put_rate(current_services().database, staff=caller(), path=path, rate=rate)
    return go_to(f"{SHIPPING_AND_TAX}?done=saved")


@terms_pages.post("/shipping/rate/delete")
def delete_rate() -> Response:
    """Delete a tax rate."""
    path = RatePath.model_validate(typed(RatePath.model_fields))
    terms_actions.delete_rate(current_services().database, staff=caller(), path=path)
    return go_to(f"{SHIPPING_AND_TAX}?done=deleted")


@terms_pages.post("/shipping/import")
def import_terms() -> Response:
    """Replace one of the tables by a CSV file."""
    file = request.files.get("file")
    form: Form[RateForm] = Form({"tax_class": fields.STANDARD})
    if file is None or not file.filename:
        form.refuse("Choose a file first.")
        return terms_page(form)
    try:
        table = _table(request.form.get("table", ""))
        terms_actions.replace(current_services().database, table, content=file.read(), staff=caller())
    except rules.BadTermsFile as refused:
        form.answer_as(refused)
        form.refuse(refused.error)
        return terms_page(form, refused.members["rows"])
    return go_to(f"{SHIPPING_AND_TAX}?done=imported")


@terms_pages.get("/shipping/<name>.csv")
def export_terms(name: str) -> Response:
    """Download one of the tables as the file that the import reads."""
    table = _table(name)
    rows = [row._asdict() for row in terms_actions.rows(current_services().database, table)]
    headers = {"Cache-Control": PRIVATE, "Content-Disposition": f'attachment; filename="{table.name}.csv"'}
    return Response(terms_tables.write(table, rows), headers=headers, content_type="text/csv; charset=utf-8")


def _table(name: str) -> TermsTable:
    if name not in TABLES:
        raise NotFound
    return TABLES[name]
