"""Import a catalogue from a CSV file, completely or not at all."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

import psycopg

from chassis.db.libpq import ignore_environment
from chassis.text import invisible_character, normalised
from order_service import money

COLUMNS = ["id", "name", "description", "category", "price", "currency", "stock"]
LARGEST_STOCK = 1_000_000_000
LONGEST_NAME, LONGEST_DESCRIPTION, LONGEST_CATEGORY = 200, 5000, 100
_MOST_FAULTS_SHOWN = 20
_STEP = 1000

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_STOCK = re.compile(r"[0-9]{1,10}")


class BadFile(Exception):
    """The file cannot be imported; the message lists the faults, one per line."""


class Bar(Protocol):
    def update(self, n_steps: int) -> object: ...


Progress = AbstractContextManager[Bar]


class Product(NamedTuple):
    id: str
    name: str
    description: str
    category: str
    price_minor: int
    currency: str
    stock: int


class Result(NamedTuple):
    added: int
    updated: int
    note: str = ""

    def __str__(self) -> str:
        return f"{self.note}{self.added} products added, {self.updated} updated"


def read(file: Path, progress: Callable[[int], Progress]) -> list[Product]:
    """Return the products of a CSV file in file order; raise BadFile with line and fault of each bad row."""
    products: dict[str, Product] = {}
    faults: list[str] = []
    with progress(file.stat().st_size) as bar:
        for line, row, size in _rows(file):
            try:
                product = parse(row)
                if product.id in products:
                    raise ValueError(f"id {product.id!r} stands in the file before")  # noqa: TRY301
                products[product.id] = product
            except ValueError as fault:
                faults.append(f"line {line}: {fault}")
            bar.update(size)
    if faults:
        more = [f"... and {len(faults) - _MOST_FAULTS_SHOWN} more"] if len(faults) > _MOST_FAULTS_SHOWN else []
        raise BadFile("\n".join(faults[:_MOST_FAULTS_SHOWN] + more))
    return list(products.values())


def parse(row: list[str]) -> Product:
    """Return the product of a row; raise ValueError with the fault."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} columns instead of {len(COLUMNS)}")
    identifier, name, description, category, price, currency, stock = map(normalised, row)
    _require(_ID.fullmatch(identifier), f"id {identifier!r} is not 1 to 100 letters, digits, dots, dashes")
    _require(0 < len(name) <= LONGEST_NAME, f"name must have 1 to {LONGEST_NAME} characters")
    _require(len(description) <= LONGEST_DESCRIPTION, f"description has more than {LONGEST_DESCRIPTION} characters")
    _require(0 < len(category) <= LONGEST_CATEGORY, f"category must have 1 to {LONGEST_CATEGORY} characters")
    invisible = invisible_character(name + description + category)
    _require(not invisible, f"the text contains {invisible}, a control or invisible character: leave it out")
    _require(_CURRENCY.fullmatch(currency), f"currency {currency!r} is not a code such as EUR")
    _require(_STOCK.fullmatch(stock) and int(stock) <= LARGEST_STOCK, f"stock {stock!r} is not 0 to {LARGEST_STOCK}")
    return Product(identifier, name, description, category, money.parse(price), currency, int(stock))


def _require(fits: object, otherwise: str) -> None:
    if not fits:
        raise ValueError(otherwise)


def _rows(file: Path) -> Iterator[tuple[int, list[str], int]]:
    """Yield line number, cells and size in characters of each row; skip blank lines."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            header = next(reader, [])
            if header != COLUMNS:
                raise BadFile(f"line 1: the columns must be {','.join(COLUMNS)}, not {','.join(header)}")
            for row in reader:
                if row:
                    yield reader.line_num, row, sum(map(len, row)) + len(row)
    except UnicodeDecodeError as fault:
        raise BadFile(f"not UTF-8 text: {fault.reason} at byte {fault.start}") from fault
    except csv.Error as fault:
        raise BadFile(f"line {reader.line_num}: {fault}") from fault


def write(url: str, products: list[Product], *, dry_run: bool = False, only_if_empty: bool = False) -> Result:
    """Add and update the products in one transaction; a dry run takes it back."""
    ignore_environment()
    with (
        psycopg.connect(url, autocommit=True, client_encoding="utf8") as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        if only_if_empty and connection.execute("SELECT 1 FROM products LIMIT 1").fetchone():
            return Result(0, 0, "The catalogue holds products already: ")
        _stage(connection, products)
        added, updated = connection.execute(MERGE).fetchone() or (0, 0)
    return Result(added, updated, "Dry run: " if dry_run else "")


def _stage(connection: psycopg.Connection, products: list[Product]) -> None:
    connection.execute(STAGE)
    with connection.cursor().copy(
        "COPY staged (id, name, description, category, price_minor, currency, stock) FROM STDIN"
    ) as copy:
        for product in products:
            copy.write_row(product)
    connection.execute(LOCK)


STAGE = """
CREATE TEMPORARY TABLE staged (
    line bigint GENERATED ALWAYS AS IDENTITY, id text, name text, description text, category text,
    price_minor bigint, currency text, stock integer
) ON COMMIT DROP"""

# In key order, as orders lock them: an import and an order may wait for each other, but never deadlock.
LOCK = "SELECT FROM products WHERE id IN (SELECT id FROM staged) ORDER BY id FOR UPDATE"

MERGE = """
WITH merged AS (
    INSERT INTO products (id, name, description, category, price_minor, currency, stock)
    SELECT id, name, description, category, price_minor, currency, stock FROM staged ORDER BY line
    ON CONFLICT (id) DO UPDATE SET
        name = excluded.name, description = excluded.description, category = excluded.category,
        price_minor = excluded.price_minor, currency = excluded.currency, stock = excluded.stock
    RETURNING (xmax = 0) AS added
)
SELECT count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added) FROM merged"""
