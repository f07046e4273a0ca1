"""Read the catalogue with one statement per request; PostgreSQL writes the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from chassis.db.database import Database
from chassis.http.pagination import BadCursor, decode_cursor, encode_cursor
from chassis.problems import NotFound
from order_service.catalog import search
from order_service.catalog.documents import COLUMNS, document, staff_document


class SortOrder(NamedTuple):
    """Sort columns, all in one direction, so that one comparison of a row continues a page and can use an index."""

    columns: tuple[str, ...]
    kinds: tuple[type, ...]
    direction: str = "ASC"

    @property
    def beyond(self) -> str:
        keys = ", ".join(f"%(key{number})s" for number in range(len(self.columns)))
        return f"({', '.join(self.columns)}) {'>' if self.direction == 'ASC' else '<'} ({keys})"

    @property
    def by(self) -> str:
        return ", ".join(f"{column} {self.direction}" for column in self.columns)


ORDERS = {
    "position": SortOrder(("p.position",), (int,)),
    "relevance": SortOrder(("-(ts_rank(p.search, asked.ranked) * 1000000)::int", "p.position"), (int, int)),
    "name": SortOrder(("lower(p.name)", "p.position"), (str, int)),
    "price": SortOrder(("p.price_minor", "p.position"), (int, int)),
    "-price": SortOrder(("p.price_minor", "p.position"), (int, int), "DESC"),
}
WHOLE = f"{staff_document('p')} AS document, FALSE AS has_more"
FILTERS = {
    "q": "p.search @@ asked.required",
    "category": "p.category = %(category)s",
    "group": "p.group_id = %(group)s",
    "active": "p.active = %(active)s",
    "sold": "p.active",
    "in_stock": "(p.stock > 0) = %(in_stock)s",
    "stock_max": "p.stock <= %(stock_max)s",
    "price_min": "p.price >= %(price_min)s",
    "price_max": "p.price <= %(price_max)s",
}
"""The condition of each parameter of a list."""


def list_products(
    db: Database,
    *,
    language: str,
    sort: str | None,
    limit: int,
    after: str | None,
    columns: str = COLUMNS,
    sold: bool | None = True,
    **filters: Any,
) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page and the cursor of the next page, None on the last.

    The filters are those of FILTERS; one that is None does not apply.
    """
    asked: dict[str, Any] = {"sold": True} if sold else {}
    for name, value in filters.items():
        if value is not None:
            asked[name] = value
    order = ORDERS[sort or ("relevance" if "q" in asked else "position")]
    parameters = {"limit": limit + 1, **asked}
    if "q" in asked:
        parameters |= {"language": language, **search.ask(asked["q"])._asdict()}
    if after is not None:
        keys = decode_cursor(after, *order.kinds)
        parameters |= {f"key{number}": key for number, key in enumerate(keys)}
    rows = db.fetch_all(_page(columns, order, tuple(asked), continued=after is not None), parameters)
    next_key = encode_cursor(*rows[limit - 1][-len(order.columns) :]) if len(rows) > limit else None
    return [document(row) if row.has_more else row.document for row in rows[:limit]], next_key


def list_for_staff(db: Database, **parameters: Any) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page of all products; the parameters are those of StaffProductQuery."""
    return list_products(db, columns=WHOLE, sold=None, **parameters)


def count_categories(db: Database) -> list[dict[str, Any]]:
    """Return the categories with the number of their products, by name."""
    return [{"name": row.category, "products": row.products} for row in db.fetch_all(CATEGORIES)]


def get_product(db: Database, *, product_id: str) -> str:
    row = db.fetch_one(ONE, {"id": product_id})
    if row is None:
        raise NotFound
    return document(row) if row.has_more else str(row.document)


def get_products(db: Database, *, product_ids: Sequence[str]) -> list[str]:
    """Return the documents of those products that exist, in no order."""
    return [document(row) if row.has_more else row.document for row in db.fetch_all(SOME, {"ids": list(product_ids)})]


def latest_import(db: Database) -> str:
    """Return the id of the audit entry of the latest import, "" before the first."""
    row = db.fetch_one(IMPORTS, {"skipped": 0})
    return str(row.id) if row else ""


def get_for_staff(db: Database, *, product_id: str) -> str:
    row = db.fetch_one(ONE_FOR_STAFF, {"id": product_id})
    if row is None:
        raise NotFound
    return str(row.document)


def list_movements(db: Database, *, product_id: str, limit: int, after: str | None) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page of a product's stock movements, newest first, and the next page's cursor."""
    before = None if after is None else decode_cursor(after, int)[0]
    if before is not None and not 0 <= before <= _LARGEST_NUMBER:
        raise BadCursor
    rows = db.fetch_all(MOVEMENTS, {"id": product_id, "before": before, "limit": limit + 1})
    if not rows and db.fetch_one(ONE_FOR_STAFF, {"id": product_id}) is None:
        raise NotFound
    next_key = encode_cursor(rows[limit - 1].id) if len(rows) > limit else None
    return [row.document for row in rows[:limit]], next_key


@cache
def _page(columns: str, order: SortOrder, filters: tuple[str, ...], *, continued: bool) -> str:
    conditions = [FILTERS[name] for name in filters] + [order.beyond] * continued
    return (
        f"SELECT {columns}, {', '.join(order.columns)} FROM products p"
        f"{f' CROSS JOIN ({search.QUERY}) AS asked' if 'q' in filters else ''}"
        f" WHERE {' AND '.join(conditions) or 'TRUE'} ORDER BY {order.by} LIMIT %(limit)s"
    )


CATEGORIES = """
SELECT category, count(*) AS products FROM products WHERE active GROUP BY category ORDER BY lower(category), category
"""
ONE = f"SELECT {COLUMNS} FROM products p WHERE p.id = %(id)s AND p.active"
SOME = f"SELECT {COLUMNS} FROM products p WHERE p.id = ANY (%(ids)s) AND p.active"
ONE_FOR_STAFF = f"SELECT {staff_document('p')} AS document FROM products p WHERE p.id = %(id)s"
IMPORTS = """
SELECT id FROM audit_entries WHERE action = 'catalog.import' ORDER BY id DESC LIMIT 1 OFFSET %(skipped)s
"""
_LARGEST_NUMBER = 2**63 - 1
MOVEMENTS = """
SELECT id, json_build_object(
    'at', at, 'kind', kind, 'units', units, 'order_id', 'o-' || replace(order_id::text, '-', ''), 'reason', reason
)::text AS document
FROM stock_movements WHERE product_id = %(id)s AND id < coalesce(CAST(%(before)s AS bigint), 9223372036854775807)
ORDER BY id DESC LIMIT %(limit)s
"""
