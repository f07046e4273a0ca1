"""Change products for staff; each change notes itself in the audit and in the stock movements."""

from __future__ import annotations

from typing import Any

import orjson
from psycopg.errors import UniqueViolation

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database, DeadlineConnection, constraints
from chassis.problems import NotFound
from order_service.catalog import csv_file, fields, import_file, importer, queries, rules, search, statements
from order_service.catalog.importer import Plan, Result
from order_service.refusals import KeyReused

_TAKEN = {"products_pkey": rules.ProductExists}


def create_product(db: Database, *, staff: Caller, language: str, values: dict[str, Any]) -> str:
    """Add a product; return its document. Raises BadPrice or ProductExists."""
    columns = _columns(values)
    words = search.index(values["id"], values["name"], values["description"])._asdict()
    parameters = {**columns, **words, **_index(language), **audit.by(staff)}
    with constraints(_TAKEN):
        return str(db.fetch_one(statements.CREATE, parameters).document)


def change_product(db: Database, *, staff: Caller, language: str, product_id: str, changes: dict[str, Any]) -> str:
    """Set these members of a product; return its document. Raises BadPrice or NotFound."""
    if not changes:
        return queries.get_for_staff(db, product_id=product_id)
    columns = _columns(changes)
    with db.transaction("change_product") as connection:
        row = connection.fetch_one(statements.change(columns), {**columns, "id": product_id, **audit.by(staff)})
        if row is None:
            raise NotFound
        if {"name", "description"} & columns.keys():
            words = search.index(product_id, row.name, row.description)._asdict()
            connection.execute(statements.INDEX, {"id": product_id, **words, **_index(language)})
    return str(row.document)


def adjust_stock(
    db: Database, *, staff: Caller, product_id: str, units: int, reason: str, idempotency_key: str | None
) -> str:
    """Add units to a product's stock, or take them, once per key; return its document.

    Raises NotFound, StockOutOfRange or KeyReused.
    """
    parameters = {"id": product_id, "units": units, "reason": reason, "key": idempotency_key}
    parameters |= {"most": fields.LARGEST_STOCK, **audit.by(staff)}
    try:
        row = db.fetch_one(statements.ADJUST, parameters)
    except UniqueViolation:  # another request with this key was faster, while this one waited for the product
        row = db.fetch_one(statements.ADJUST, parameters)
    if row is None:
        raise NotFound
    if row.is_same:
        return queries.get_for_staff(db, product_id=product_id)
    if row.is_same is False:
        raise KeyReused
    if row.document is None:
        error = f"the stock would become {row.stock + units}: it is 0 to {fields.LARGEST_STOCK}"
        raise rules.StockOutOfRange(error, stock=row.stock)
    return str(row.document)


def import_products(
    db: Database, *, content: bytes, options: import_file.Options, plan: Plan, dry_run: bool, seen: str | None = None
) -> tuple[import_file.File, Result]:
    """Apply a CSV file, or only say what it would do; raise BadCatalogFile when it is refused.

    `seen` is the latest import at the time of a preview; raises ImportedMeanwhile when there was another since.
    """
    try:
        file = import_file.read(content, options)
        products = file.products if dry_run else import_file.require(file)
        with db.transaction("import_catalog") as connection:
            result = importer.apply(connection, products, plan._replace(skip_faulty=dry_run), dry_run=dry_run)
            if seen is not None and _import_before(connection) != seen:
                raise rules.ImportedMeanwhile
            return file, result
    except csv_file.BadFile as refusal:
        rows = [fault._asdict() for fault in refusal.faults[: importer.MOST_CHANGES_SHOWN]]
        first = str(refusal.faults[0])
        raise rules.BadCatalogFile(f"nothing imported: {first}", rows=rows, refused=len(refusal.faults)) from refusal


def _import_before(connection: DeadlineConnection) -> str:
    """Return the latest import before the one of this transaction; imports wait for each other."""
    row = connection.fetch_one(queries.IMPORTS, {"skipped": 1})
    return str(row.id) if row else ""


def _index(language: str) -> dict[str, str]:
    return {"language": language, "indexed_as": search.indexed_as(language)}


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values by their columns."""
    columns = {"group_id" if name == "group" else name: value for name, value in values.items() if name != "price"}
    if {"price", "currency"} & values.keys():
        columns["price_minor"] = rules.price_minor(values.get("price"), values.get("currency"))
    if "images" in values:
        columns["images"] = values["images"] or None
    if "options" in values:
        columns["options"] = orjson.dumps(values["options"]).decode() if values["options"] else None
    return columns
