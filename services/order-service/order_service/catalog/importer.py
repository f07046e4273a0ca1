"""Write the products of a CSV file to the catalogue, completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import orjson
import psycopg

from chassis.context import Caller
from chassis.db import audit
from chassis.db.libpq import ignore_environment
from order_service import money
from order_service.catalog import fields, indexing, search
from order_service.catalog.csv_file import BadFile, Fault
from order_service.catalog.import_file import Product

_STEP = 2000
MOST_CHANGES_SHOWN = 100
StockMode = Literal["keep", "set", "add"]


class Result(NamedTuple):
    """What an import did or, as a dry run, would do; `changes` are the first of them, in the file's order."""

    added: int
    updated: int
    unchanged: int
    deactivated: int
    moved: int
    changes: list[dict[str, Any]]
    faults: Sequence[Fault] = ()
    note: str = ""

    def __str__(self) -> str:
        return (
            f"{self.note}{self.added} products added, {self.updated} updated, {self.unchanged} unchanged, "
            f"{self.deactivated} deactivated; stock changed for {self.moved}"
        )


class Plan(NamedTuple):
    """How the file is to be applied."""

    stock: StockMode = "keep"
    deactivate_missing: bool = False
    language: str = "english"
    staff: Caller | None = None
    skip_faulty: bool = False
    """Leave out rows that do not fit, as a preview does."""


_USUAL = Plan()


def write(
    url: str, products: list[Product], plan: Plan = _USUAL, *, dry_run: bool = False, only_if_empty: bool = False
) -> Result:
    """Apply the products in one transaction of a connection of its own; a dry run takes it back."""
    ignore_environment()
    with psycopg.connect(url, autocommit=True, client_encoding="utf8") as connection, connection.transaction():
        if only_if_empty and connection.execute("SELECT 1 FROM products LIMIT 1").fetchone():
            return Result(0, 0, 0, 0, 0, [], note="The catalogue holds products already: ")
        result = apply(connection, products, plan, dry_run=dry_run)
    return result._replace(note="Dry run: " if dry_run else "")


def apply(
    connection: psycopg.Connection[Any], products: Sequence[Product], plan: Plan, *, dry_run: bool = False
) -> Result:
    """Apply the products within a transaction; raise BadFile for those that do not fit what is in the catalogue."""
    with connection.transaction(force_rollback=dry_run):
        return _apply(connection, products, plan)


def _apply(connection: psycopg.Connection[Any], products: Sequence[Product], plan: Plan) -> Result:
    parameters: dict[str, Any] = {
        "mode": plan.stock,
        "deactivate": plan.deactivate_missing,
        "indexed_as": search.indexed_as(plan.language),
        "language": plan.language,
        "most": fields.LARGEST_STOCK,
        "shown": MOST_CHANGES_SHOWN,
    }
    _stage(connection, products)
    connection.execute(LOCK, parameters)
    connection.execute(RESOLVE, parameters)
    faults = [Fault(*row) for row in connection.execute(FAULTS, parameters)]
    if faults and not plan.skip_faulty:
        raise BadFile(faults)
    connection.execute(LEAVE_OUT, {"lines": [fault.line for fault in faults]})
    changes = [dict(row[0]) for row in connection.execute(CHANGES, parameters)]
    added = updated = moved = 0
    for first in range(0, len(products), _STEP):
        chunk: dict[str, Any] = {"first": first, "last": first + _STEP, **parameters}
        row = connection.execute(MERGE, chunk).fetchone()
        assert row is not None  # noqa: S101 - it counts
        added, updated, moved = added + row[0], updated + row[1], moved + row[2]
    deactivated = connection.execute(DEACTIVATE, parameters).rowcount if plan.deactivate_missing else 0
    indexing.index_all(connection, plan.language)
    unchanged = len(products) - len({fault.line for fault in faults}) - added - updated
    result = Result(added, updated, unchanged, deactivated, moved, changes, faults)
    _note(connection, plan, result)
    return result


def _note(connection: psycopg.Connection[Any], plan: Plan, result: Result) -> None:
    after: dict[str, Any] = {name: value for name, value in result._asdict().items() if isinstance(value, int)}
    after |= {"stock": plan.stock, "deactivate_missing": plan.deactivate_missing}
    entry = {"action": "catalog.import", "subject": "catalog", "before": None, "after": orjson.dumps(after).decode()}
    connection.execute(audit.NOTE, {**audit.by(plan.staff), **entry})


def _stage(connection: psycopg.Connection[Any], products: Sequence[Product]) -> None:
    """Copy the rows into a temporary table, after any other import."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('catalog.import'))")
    connection.execute(STAGE)
    with connection.cursor().copy(COPY) as copy:
        for place, product in enumerate(products):
            copy.write_row(_staged(place, product))
    connection.execute("ANALYZE staged")


def _staged(place: int, product: Product) -> tuple[Any, ...]:
    words: Mapping[str, Any] = {"plain": None, "stem_name": None, "stem_description": None}
    if product.description is not None:
        words = search.index(product.id, product.name, product.description)._asdict()
    return (
        *(place, product.line, product.id, product.name, product.description, product.category),
        *(product.price_minor, product.currency, product.stock, product.stock_is_change, product.active),
        *(product.images, product.tax_class, product.group),
        None if product.options is None else orjson.dumps(product.options).decode(),
        *words.values(),
    )


STAGE = """
CREATE TEMPORARY TABLE staged (
    place integer, line integer, id text, name text, description text, category text, price_minor bigint, currency text,
    stock integer, stock_is_change boolean, active boolean, images text[], tax_class text, group_id text, options jsonb,
    plain text, stem_name text, stem_description text
) ON COMMIT DROP"""

COPY = "COPY staged FROM STDIN"

# In key order, as orders lock them: an import and an order may wait for each other, but never deadlock.
LOCK = """
SELECT FROM products
WHERE id IN (SELECT id FROM staged) OR (%(deactivate)s AND active)
ORDER BY id FOR NO KEY UPDATE"""

# The catalogue as it will be: the file's values over those of the locked products.
RESOLVE = """
CREATE TEMPORARY TABLE resolved ON COMMIT DROP AS
SELECT place, line, id, s.name, coalesce(s.description, p.description, '') AS description,
       coalesce(s.category, p.category) AS category, s.price_minor, s.currency,
       coalesce(p.stock, 0)::bigint + CASE
           WHEN s.stock IS NULL OR (%(mode)s = 'keep' AND p.id IS NOT NULL AND NOT s.stock_is_change) THEN 0
           WHEN s.stock_is_change OR %(mode)s = 'add' THEN s.stock
           ELSE s.stock - coalesce(p.stock, 0)
       END AS stock, s.stock AS stock_cell,
       coalesce(s.active, p.active, true) AS active,
       nullif(coalesce(s.images, p.images), '{}') AS images,
       coalesce(s.tax_class, p.tax_class, 'standard') AS tax_class,
       nullif(coalesce(s.group_id, p.group_id), '') AS group_id,
       nullif(coalesce(s.options, p.options), '{}') AS options,
       plain, stem_name, stem_description, p.id IS NULL AS is_new
FROM staged s LEFT JOIN products p USING (id)"""

FAULTS = """
SELECT line, 'category' AS "column", '' AS value, 'a new product needs a category: fill it in' AS error
FROM resolved WHERE category IS NULL
UNION ALL
SELECT line, 'stock', stock_cell::text, 'the stock would become ' || stock || ': it is 0 to ' || %(most)s
FROM resolved WHERE stock NOT BETWEEN 0 AND %(most)s
ORDER BY line"""

LEAVE_OUT = "DELETE FROM resolved WHERE line = ANY (CAST(%(lines)s AS integer[]))"

_VALUES = ("name", "description", "category", "price_minor", "currency", "stock", "active", "images", "tax_class",
           "group_id", "options")  # fmt: skip
_OF_PRODUCT, _OF_FILE = (", ".join(f"{row}.{name}" for name in _VALUES) for row in ("p", "r"))


def _document(row: str) -> str:
    """Return the SQL of a product's JSON; resolved rows have no computed price."""
    return f"""jsonb_build_object('name', {row}.name, 'description', {row}.description, 'category', {row}.category,
        'price', {money.sql(f"{row}.price_minor", f"{row}.currency")}, 'currency', {row}.currency, 'stock', {row}.stock,
        'active', {row}.active, 'images', coalesce({row}.images, '{{}}'), 'tax_class', {row}.tax_class,
        'group', {row}.group_id, 'options', coalesce({row}.options, '{{}}'))"""


CHANGES = f"""
SELECT jsonb_build_object('line', r.line, 'product_id', r.id, 'change',
    CASE WHEN p.id IS NULL THEN 'added' ELSE 'updated' END, 'fields', (
        SELECT jsonb_object_agg(n.key, jsonb_build_object('before', o.value, 'after', n.value))
        FROM jsonb_each({_document("r")}) AS n
        LEFT JOIN jsonb_each(CASE WHEN p.id IS NOT NULL THEN {_document("p")} END) AS o USING (key)
        WHERE n.value IS DISTINCT FROM o.value
    )) AS document
FROM resolved r LEFT JOIN products p USING (id)
WHERE p.id IS NULL OR ({_OF_PRODUCT}) IS DISTINCT FROM ({_OF_FILE})
ORDER BY place LIMIT %(shown)s"""

_SET = ", ".join(f"{name} = excluded.{name}" for name in _VALUES)
MERGE = f"""
WITH merged AS (
    INSERT INTO products AS p (id, {", ".join(_VALUES)}, search, indexed_as)
    SELECT id, {", ".join(_VALUES)}, coalesce({search.indexed("r", "%(language)s")}, ''),
           CASE WHEN plain IS NOT NULL THEN %(indexed_as)s END
    FROM resolved r WHERE place >= %(first)s AND place < %(last)s ORDER BY place
    ON CONFLICT (id) DO UPDATE SET {_SET}, search = excluded.search, indexed_as = excluded.indexed_as
    WHERE ({_OF_PRODUCT}) IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _VALUES)})
    RETURNING p.id, old.id IS NULL AS added, new.stock - coalesce(old.stock, 0) AS moved
),
moved AS (
    INSERT INTO stock_movements (product_id, kind, units)
    SELECT id, 'import', moved FROM merged WHERE moved <> 0 ORDER BY id
)
SELECT count(*) FILTER (WHERE added) AS added, count(*) FILTER (WHERE NOT added) AS updated,
       count(*) FILTER (WHERE moved <> 0) AS moved
FROM merged"""

DEACTIVATE = """
UPDATE products SET active = false WHERE active AND NOT EXISTS (SELECT FROM staged WHERE staged.id = products.id)"""
