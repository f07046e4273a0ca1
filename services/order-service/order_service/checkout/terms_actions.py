"""Change shipping methods and tax rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.context import Caller
from chassis.db import audit
from chassis.db.database import Database, Row
from chassis.problems import InvalidRequest, NotFound
from order_service.catalog.csv_file import BadFile
from order_service.catalog.importer import MOST_CHANGES_SHOWN
from order_service.checkout import rules, terms_statements, terms_tables
from order_service.checkout.staff_schemas import RatePath, ShippingMethodIn, TaxRateIn
from order_service.checkout.terms_tables import SHIPPING, TermsTable


def rows(db: Database, table: TermsTable) -> Sequence[Row]:
    return db.fetch_all(terms_statements.METHODS if table is SHIPPING else terms_statements.RATES)


def put_method(db: Database, *, staff: Caller, method_id: str, method: ShippingMethodIn) -> dict[str, Any]:
    """Add or replace a shipping method; return its document. Raises InvalidRequest for an amount."""
    try:
        row = terms_tables.method_row(method_id, method)
    except ValueError as fault:
        member, message = fault.args
        error = {"member": member, "code": "price", "message": message}
        raise InvalidRequest(f"{member}: {message}", errors=[error]) from fault
    document: dict[str, Any] = db.fetch_one(terms_statements.PUT_METHOD, {**row, **audit.by(staff)}).document
    return document


def put_rate(db: Database, *, staff: Caller, path: RatePath, rate: TaxRateIn) -> dict[str, Any]:
    """Add or replace a tax rate; return its document."""
    row = terms_tables.rate_row(path, rate)
    document: dict[str, Any] = db.fetch_one(terms_statements.PUT_RATE, {**row, **audit.by(staff)}).document
    return document


def delete_method(db: Database, *, staff: Caller, method_id: str) -> None:
    """Delete a shipping method; orders keep what they were quoted. Raises NotFound."""
    if db.fetch_one(terms_statements.DELETE_METHOD, {"id": method_id, **audit.by(staff)}) is None:
        raise NotFound


def delete_rate(db: Database, *, staff: Caller, path: RatePath) -> None:
    """Delete a tax rate. Raises NotFound."""
    if db.fetch_one(terms_statements.DELETE_RATE, {**path.model_dump(), **audit.by(staff)}) is None:
        raise NotFound


def replace(
    db: Database, table: TermsTable, *, content: bytes, staff: Caller | None, only_if_empty: bool = False
) -> int:
    """Replace the table by the rows of a CSV file, and return their number; raise BadTermsFile, and change nothing.

    With `only_if_empty` a table that has rows stays; then 0 is returned.
    """
    try:
        added = terms_tables.read(table, content)
    except BadFile as refusal:
        shown = [fault._asdict() for fault in refusal.faults[:MOST_CHANGES_SHOWN]]
        first = f"nothing imported: {refusal.faults[0]}"
        raise rules.BadTermsFile(first, rows=shown, refused=len(refusal.faults)) from refusal
    with db.transaction("replace_terms") as connection:
        connection.shared_cursor.execute(terms_statements.LOCK[table.name])
        before = connection.fetch_one(terms_statements.COUNT[table.name]).rows
        if only_if_empty and before:
            return 0
        connection.execute(terms_statements.CLEAR[table.name])
        for row in added:
            connection.execute(terms_statements.ADD[table.name], row)
        numbers = {"before": {"rows": before}, "after": {"rows": len(added)}}
        audit.note(connection, staff, f"{table.name}.import", table.name, **numbers)
    return len(added)
