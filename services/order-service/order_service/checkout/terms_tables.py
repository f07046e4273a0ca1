"""Shipping methods and tax rates as rows: of a request, of a CSV file, of the database."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from order_service import money
from order_service.catalog import csv_file, fields
from order_service.catalog.csv_file import BadFile, Fault
from order_service.checkout.staff_schemas import MethodPath, RatePath, ShippingMethodIn, TaxRateIn

MOST_ROWS = 10_000


class TermsTable(NamedTuple):
    """A table that staff change row by row, or replace by a CSV file."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    required: tuple[str, ...]
    path: type[BaseModel]
    body: type[BaseModel]
    cells: Mapping[str, Callable[[str], Any]]


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("write a whole number such as 1")
    return int(text)


def rate(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("write a number of per cent with a decimal point, such as 19 or 5.5") from None


SHIPPING = TermsTable(
    name="shipping_methods",
    key=("id",),
    columns=("id", "name", "countries", "currency", "price", "free_from", "tax_class", "active", "position"),
    required=("id", "name", "currency", "price"),
    path=MethodPath,
    body=ShippingMethodIn,
    cells={"countries": str.split, "active": fields.active, "position": _number},
)
TAX = TermsTable(
    name="tax_rates",
    key=("country", "tax_class"),
    columns=("country", "tax_class", "rate"),
    required=("country", "tax_class", "rate"),
    path=RatePath,
    body=TaxRateIn,
    cells={"rate": rate},
)


def method_row(method_id: str, method: ShippingMethodIn) -> dict[str, Any]:
    """Return the row of a method; raise ValueError with the member's name first for an amount of another currency."""
    row = {**method.model_dump(exclude={"price", "free_from"}), "id": method_id}
    for member in ("price", "free_from"):
        text = getattr(method, member)
        try:
            row[f"{member}_minor"] = None if text is None else fields.amount(text, method.currency)
        except ValueError as fault:
            raise ValueError(member, str(fault)) from fault
    return row


def rate_row(path: RatePath, body: TaxRateIn) -> dict[str, Any]:
    return {**path.model_dump(), "rate": body.rate}


def read(table: TermsTable, content: bytes) -> list[dict[str, Any]]:
    """Return the rows of a CSV file; raise BadFile, with each fault's line and column, for one that is not all good."""
    file = csv_file.read(content, table.columns)
    header = csv_file.names(file.header.cells)
    if missing := [name for name in table.required if name not in header]:
        error = f"the first line must name the columns {', '.join(table.required)}; {missing[0]} is missing"
        raise BadFile([Fault(file.header.line, "", "", error)])
    faults: list[Fault] = [file.fault] if file.fault else []
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in file.records[: MOST_ROWS + 1]:
        cells = dict(zip(header, (cell.strip() for cell in record.cells), strict=False))
        try:
            row = _row(table, cells)
        except (ValidationError, ValueError) as failure:
            faults += _faults(table, record.line, cells, failure)
            continue
        key = tuple(row[name] for name in table.key)
        if rows.setdefault(key, row) is not row:
            faults.append(Fault(record.line, table.key[0], str(key[0]), "an earlier line has the same: keep one"))
    if len(file.records) > MOST_ROWS:
        faults.append(Fault(file.records[MOST_ROWS].line, "", "", f"more than {MOST_ROWS} rows: leave some out"))
    if faults or not rows:
        raise BadFile(sorted(faults) or [Fault(file.header.line, "", "", "the file has no rows below its header")])
    return list(rows.values())


def _row(table: TermsTable, cells: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in table.columns:
        if text := cells.get(name):
            try:
                values[name] = table.cells.get(name, str)(text)
            except ValueError as fault:
                raise ValueError(name, str(fault)) from fault
    keyed = {("method_id" if name == "id" else name): values.pop(name, "") for name in table.key}
    path, body = table.path.model_validate(keyed), table.body.model_validate(values)
    if isinstance(body, ShippingMethodIn) and isinstance(path, MethodPath):
        return method_row(path.method_id, body)
    assert isinstance(body, TaxRateIn)  # noqa: S101 - the other table
    assert isinstance(path, RatePath)  # noqa: S101
    return rate_row(path, body)


def _faults(
    table: TermsTable, line: int, cells: Mapping[str, str], failure: ValidationError | ValueError
) -> Iterator[Fault]:
    if not isinstance(failure, ValidationError):
        column, error = failure.args
        yield Fault(line, column, cells.get(column, ""), error)
        return
    for error in failure.errors(include_url=False):
        member = str(error["loc"][0]) if error["loc"] else table.key[0]
        column = "id" if member == "method_id" else member
        yield Fault(
            line, column, cells.get(column, ""), "write something here" if not cells.get(column) else error["msg"]
        )


def write(table: TermsTable, rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the CSV file that `read` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([cell(row, name) for name in table.columns] for row in rows)
    return text.getvalue()


def cell(row: Mapping[str, Any], name: str) -> object:
    """Return a column's value as it is written in a file or a form."""
    if name in {"price", "free_from"}:
        minor = row[f"{name}_minor"]
        return "" if minor is None else money.amount(minor, row["currency"])
    value = row[name]
    if name == "rate":
        return f"{value.normalize():f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        " ".join(value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else ""
        if value is None
        else value
    )
