"""Read the products of a CSV file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple, Protocol

from chassis.text import normalised
from order_service.catalog import csv_file, fields
from order_service.catalog.csv_file import BadFile, Fault
from order_service.catalog.shop_exports import EXPORTS, Row

COLUMNS = (
    "id", "name", "description", "category", "price", "currency", "stock", "active", "images", "tax_class", "group",
    "options",
)  # fmt: skip
REQUIRED = ("id", "name", "price", "currency")
Source = Literal["shopify", "woocommerce"]
_KNOWN = {*COLUMNS, *(name for export in EXPORTS.values() for name in export.signs)}


class Bar(Protocol):
    def update(self, n_steps: int) -> object: ...


Progress = Callable[[int], AbstractContextManager[Bar | None]]


class Options(NamedTuple):
    """What the file does not say itself."""

    encoding: str | None = None
    decimal: Literal["point", "comma"] | None = None
    source: Source | None = None
    currency: str | None = None


_NO_OPTIONS = Options()


class Product(NamedTuple):
    """A row of the file. None keeps what a known product has and is the default of a new one."""

    id: str
    name: str
    description: str | None
    category: str | None
    price_minor: int
    currency: str
    stock: int | None = None
    stock_is_change: bool = False
    active: bool | None = None
    images: list[str] | None = None
    tax_class: str | None = None
    group: str | None = None
    options: dict[str, str] | None = None
    line: int = 0


class File(NamedTuple):
    """The good rows of a file, the faults of the others, and how it was read."""

    products: list[Product]
    faults: list[Fault]
    notes: list[str]


def read(content: bytes, options: Options = _NO_OPTIONS, progress: Progress = lambda _: nullcontext()) -> File:
    """Return the products in file order; raise BadFile when the file as a whole cannot be read."""
    table = csv_file.read(content, _KNOWN, options.encoding)
    header = csv_file.names(table.header.cells)
    names = EXPORTS[options.source].names if options.source else {}
    _check_header(table, header, options)
    read_row = _Reader(names, options, _decimal(table, options)).read
    faults: list[Fault] = []
    products: dict[str, Product] = {}
    with progress(len(table.records)) as bar:
        for row in _rows(table, header, options, faults):
            if bar:
                bar.update(1)
            product = read_row(row, faults)
            if product and product.id in products:
                first = products[product.id].line
                faults.append(Fault(row.line, names.get("id", "id"), product.id, f"line {first} has this id: keep one"))
            elif product:
                products[product.id] = product
    faults += [table.fault] if table.fault else []
    if not products and not faults:
        raise BadFile([Fault(table.header.line, "", "", "the file holds no products below its header")])
    return File(list(products.values()), sorted(faults), _notes(table, header, options))


def require(file: File) -> list[Product]:
    """Return the products of a file without faults."""
    if file.faults:
        raise BadFile(file.faults)
    return file.products


def _check_header(table: csv_file.Table, header: list[str], options: Options) -> None:
    if table.fault and not table.records:
        raise BadFile([table.fault])
    if fault := _repeated(header) or (
        _other_export(header, options) if options.source else _own_columns(header, options)
    ):
        raise BadFile([Fault(table.header.line, "", "", fault)])


def _repeated(header: list[str]) -> str:
    twice = next((name for name, count in Counter(header).items() if count > 1 and name in _KNOWN), None)
    return f"the column {twice} stands in the header twice: rename or remove one" if twice else ""


def _other_export(header: list[str], options: Options) -> str:
    missing = sorted(EXPORTS[options.source or ""].signs - set(header))
    if missing:
        return f"this is not the export of {options.source}, which has the column {missing[0]}"
    return "" if options.currency else "this export does not say its currency: name it (--currency EUR)"


def _own_columns(header: list[str], options: Options) -> str:
    for source, export in EXPORTS.items():
        if export.signs <= set(header):
            return f"this is the export of another shop: import it with --from {source}"
    missing = [name for name in REQUIRED if name not in header and not (name == "currency" and options.currency)]
    found = ", ".join(filter(None, header)) or "nothing"
    needed = f"the first line must name the columns {', '.join(REQUIRED)}"
    return f"{needed}; {missing[0]} is missing, the line has {found}" if missing else ""


def _decimal(table: csv_file.Table, options: Options) -> fields.Decimal:
    return options.decimal or ("either" if table.separator == ";" else "point")


def _rows(table: csv_file.Table, header: list[str], options: Options, faults: list[Fault]) -> Iterator[Row]:
    """Yield the rows in our columns; note those that have another number of cells than the header."""
    records = list(_whole(table, header, faults))
    if options.source:
        yield from EXPORTS[options.source].rows(records)
        return
    for line, cells in records:
        yield Row(line, {name: cells[name] for name in COLUMNS if name in cells})


def _whole(table: csv_file.Table, header: list[str], faults: list[Fault]) -> Iterator[tuple[int, dict[str, str]]]:
    width = len(header)
    for line, cells in table.records:
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            sign = csv_file.SEPARATORS[table.separator]
            error = f"the row has {len(cells)} cells and the header {width}: put texts that contain {sign} in quotes"
            faults.append(Fault(line, "", "", error))
        else:
            yield line, dict(zip(header, map(normalised, cells), strict=False))


def _notes(table: csv_file.Table, header: list[str], options: Options) -> list[str]:
    signs = {"point": "", "comma": ", decimal commas", "either": ", decimal commas or points"}
    separator = csv_file.SEPARATORS[table.separator]
    notes = [f"Read as {table.encoding.upper()}, separated by {separator}{signs[_decimal(table, options)]}."]
    unknown = [name for name in header if name and name not in COLUMNS]
    if unknown and not options.source:
        notes.append(f"Skipped the columns that a product does not have: {', '.join(unknown)}.")
    return notes


class _Reader:
    """Read the cells of a row; `names` are the file's names of our columns."""

    def __init__(self, names: Any, options: Options, decimal: fields.Decimal) -> None:
        self._names, self._currency, self._decimal = names, options.currency, decimal
        one_line = fields.line
        self._readers: dict[str, Callable[[str], Any]] = {
            "id": fields.product_id,
            "name": one_line("a name", fields.LONGEST_NAME, 1),
            "description": fields.description,
            "category": one_line("a category", fields.LONGEST_CATEGORY, 1),
            "currency": fields.currency,
            "stock": lambda text: fields.stock(text) if text else (None, False),
            "active": lambda text: fields.active(text) if text else None,
            "images": fields.images,
            "tax_class": lambda text: one_line("a tax class", fields.LONGEST_TAX_CLASS)(text) or fields.STANDARD,
            "group": one_line("a group", fields.LONGEST_ID),
            "options": fields.options,
        }

    def read(self, row: Row, faults: list[Fault]) -> Product | None:
        """Return the product, or None after noting the faults of its cells."""
        before = len(faults)
        cells = row.cells | {"currency": row.cells.get("currency") or self._currency or ""}
        values = dict(self._values(row.line, cells, faults))
        if currency := values.get("currency"):
            price = self._tried(row.line, "price", cells["price"], self._amount(currency), faults)
        if len(faults) > before:
            return None
        stock, is_change = values.pop("stock", (None, False))
        product = {"description": None, "category": None, **values}
        return Product(**product, price_minor=price, stock=stock, stock_is_change=is_change, line=row.line)

    def _values(self, line: int, cells: dict[str, str], faults: list[Fault]) -> Iterable[tuple[str, Any]]:
        for column, cell in cells.items():
            if column != "price":
                yield column, self._tried(line, column, cell, self._readers[column], faults)

    def _amount(self, currency: str) -> Callable[[str], int]:
        return lambda text: fields.amount(text, currency, self._decimal)

    def _tried(self, line: int, column: str, cell: str, read: Callable[[str], Any], faults: list[Fault]) -> Any:
        try:
            return read(cell)
        except ValueError as fault:
            faults.append(Fault(line, self._names.get(column, column), cell, str(fault)))
            return None
