"""Pages with which staff import and export the catalogue; a file is previewed before it changes anything."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode, b64encode
from typing import Any

from flask import Response, request

from chassis.db import audit
from chassis.http.parsing import LARGEST_FILE
from chassis.pages.blueprint import staff_pages
from chassis.pages.forms import Form, form_page, read_form, typed
from chassis.pages.responses import PRIVATE, go_to
from chassis.pages.visitors import caller
from chassis.problems import BodyTooLarge
from order_service.catalog import actions, csv_file, exporter, importer, queries, rules
from order_service.catalog.import_file import File, Options
from order_service.catalog.importer import Result
from order_service.catalog.product_forms import CURRENCIES, readable
from order_service.catalog.staff_schemas import ImportQuery
from order_service.services import current_services

import_pages = staff_pages("import pages", __name__, "/backoffice")

IMPORT = "/backoffice/import"
LARGEST_FORM = 2 * LARGEST_FILE  # a file that does not compress grows by a third on its way through the preview
LAST_IMPORTS = 5
_LABELS = {"currency": "Currency", "decimal": "Decimals", "encoding": "Encoding", "from": "Written by"}
_OPTION = re.compile(r"--(currency|decimal|encoding|from) ([\w-]+)")
_OPTIONS = ("stock", "deactivate_missing", "decimal", "encoding", "source", "currency")


@import_pages.before_request
def allow_files() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FORM


@import_pages.get("/export.csv")
def export() -> Response:
    """Download all products as the file that the import reads."""
    content = "".join(exporter.export(current_services().database.fetch_all))
    headers = {"Cache-Control": PRIVATE, "Content-Disposition": 'attachment; filename="products.csv"'}
    return Response(content, headers=headers, content_type="text/csv; charset=utf-8")


@import_pages.get("/import")
def ask_for_file() -> Response:
    """Ask for a file; show what came of the last ones."""
    form: Form[ImportQuery] = Form({"stock": "keep"})
    form.status = 200
    return import_page(form)


def import_page(form: Form[ImportQuery], **preview: Any) -> Response:
    imports, _ = audit.list_entries(
        current_services().database, filters={"action": "catalog.import"}, limit=LAST_IMPORTS, before=None
    )
    return form_page(
        "catalog/staff-import.html",
        form,
        imports=imports,
        encodings=[(name, name.upper()) for name in csv_file.ENCODINGS],
        currencies=[(code, code) for code in CURRENCIES],
        most=importer.MOST_CHANGES_SHOWN,
        done=request.args.get("done"),
        **preview,
    )


@import_pages.post("/import")
def preview_or_import() -> Response:
    """Show what a file would change; import it when this has been seen."""
    form = read_form(ImportQuery, typed(_OPTIONS))
    content = sent_file()
    if not content:
        form.refuse("Choose a file.", "file")
    if form.model is None or not content:
        return import_page(form)
    form.status = 200
    if request.form.get("do") == "import":
        try:
            _run(content, form.model, seen=request.form.get("seen", ""))
            return go_to(f"{IMPORT}?done=imported")
        except rules.ImportedMeanwhile as refused:
            form.answer_as(refused)
            form.refuse(refused.error)
        except rules.BadCatalogFile as refused:  # what the catalogue holds has changed since the preview
            form.answer_as(refused)
    return preview_page(form, form.model, content)


def preview_page(form: Form[ImportQuery], query: ImportQuery, content: bytes) -> Response:
    seen = queries.latest_import(current_services().database)  # read first: an import after it refuses this one
    try:
        file, result = _run(content, query)
    except rules.BadCatalogFile as refused:
        form.answer_as(refused)
        return import_page(form, rows=_told(refused.members["rows"]), refused=refused.members["refused"])
    faults = sorted([*file.faults, *result.faults])
    currencies = {product.id: product.currency for product in file.products}
    return import_page(
        form,
        result=result._replace(changes=[_shown(change, currencies) for change in result.changes]),
        notes=file.notes,
        rows=_told([fault._asdict() for fault in faults[: importer.MOST_CHANGES_SHOWN]]),
        refused=len(faults),
        packed=pack(content),
        seen=seen,
    )


def _shown(change: dict[str, Any], currencies: dict[str, str]) -> dict[str, Any]:
    """Return a change with what differs as the audit shows it; a new product lists only what it has."""
    sides = ({name: values[side] for name, values in change["fields"].items()} for side in ("before", "after"))
    before, after = (readable(side, currencies[change["product_id"]]) for side in sides)
    listed = [(name, before[name], value) for name, value in after.items()]
    return {**change, "fields": [each for each in listed if each[1] or each[2] or change["change"] == "updated"]}


def _told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return refused rows whose reasons name the fields of this page instead of the command's options."""
    return [{**row, "error": _OPTION.sub(_in_words, row["error"])} for row in rows]


def _in_words(option: re.Match[str]) -> str:
    return f"“{option[2]}” under “{_LABELS[option[1]]}”"


def _run(content: bytes, query: ImportQuery, seen: str | None = None) -> tuple[File, Result]:
    """Import the file if `seen` names the import before the preview, else only say what it would change."""
    services = current_services()
    plan = importer.Plan(query.stock, query.deactivate_missing, services.settings.search_language, caller())
    options = Options(query.encoding, query.decimal, query.source, query.currency)
    return actions.import_products(
        services.database, content=content, options=options, plan=plan, dry_run=seen is None, seen=seen
    )


def sent_file() -> bytes:
    """Return the file that was chosen, or the one that a preview passed on; raise BodyTooLarge."""
    chosen = request.files.get("file")
    content = chosen.stream.read(LARGEST_FILE + 1) if chosen else b""
    content = content or unpack(request.form.get("packed", ""))
    if len(content) > LARGEST_FILE:
        raise BodyTooLarge
    return content


def pack(content: bytes) -> str:
    """Return a file as a text that stands in a field of the preview: the service keeps no files."""
    return b64encode(zlib.compress(content)).decode()


def unpack(text: str) -> bytes:
    """Return the file of such a text, and of others nothing; no more than just too many bytes."""
    try:
        return zlib.decompressobj().decompress(b64decode(text, validate=True), LARGEST_FILE + 1)
    except (ValueError, zlib.error):
        return b""
