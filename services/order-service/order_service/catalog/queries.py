"""Read the catalogue with one statement per request; PostgreSQL writes the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from chassis.db.database import Database
from chassis.http.pagination import decode_cursor, encode_cursor
from chassis.problems import NotFound
from order_service import money

DOCUMENT = f"""to_json((SELECT d FROM (SELECT
    p.id, p.name, p.description, p.category, {money.sql("p.price_minor")} AS price, p.currency, p.stock AS available
) AS d))::text"""


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


RELEVANCE = "-(ts_rank(p.search, websearch_to_tsquery('english', %(q)s)) * 1000000)::int"
ORDERS = {
    "position": SortOrder(("p.position",), (int,)),
    "relevance": SortOrder((RELEVANCE, "p.position"), (int, int)),
    "name": SortOrder(("lower(p.name)", "p.position"), (str, int)),
    "price": SortOrder(("p.price_minor", "p.position"), (int, int)),
    "-price": SortOrder(("p.price_minor", "p.position"), (int, int), "DESC"),
}


def list_products(
    db: Database, *, q: str | None, category: str | None, sort: str | None, limit: int, after: str | None
) -> tuple[Sequence[str], str | None]:
    """Return the documents of one page and the cursor of the next page, None on the last."""
    order = ORDERS[sort or ("relevance" if q else "position")]
    parameters: dict[str, Any] = {"limit": limit + 1, "q": q, "category": category}
    if after is not None:
        keys = decode_cursor(after, *order.kinds)
        parameters |= {f"key{number}": key for number, key in enumerate(keys)}
    rows = db.fetch_all(
        _page(order, searched=bool(q), filtered=bool(category), continued=after is not None), parameters
    )
    next_key = encode_cursor(*rows[limit - 1][1:]) if len(rows) > limit else None
    return [row.document for row in rows[:limit]], next_key


def count_categories(db: Database) -> list[dict[str, Any]]:
    """Return the categories with the number of their products, by name."""
    return [{"name": row.category, "products": row.products} for row in db.fetch_all(CATEGORIES)]


def get_product(db: Database, *, product_id: str) -> str:
    row = db.fetch_one(ONE, {"id": product_id})
    if row is None:
        raise NotFound
    return str(row.document)


def get_products(db: Database, *, product_ids: Sequence[str]) -> list[str]:
    """Return the documents of those products that exist, in no order."""
    return [row.document for row in db.fetch_all(SOME, {"ids": list(product_ids)})]


@cache
def _page(order: SortOrder, *, searched: bool, filtered: bool, continued: bool) -> str:
    conditions = {
        "p.search @@ websearch_to_tsquery('english', %(q)s)": searched,
        "p.category = %(category)s": filtered,
        order.beyond: continued,
    }
    where = " AND ".join(condition for condition, asked in conditions.items() if asked) or "TRUE"
    return (
        f"SELECT {DOCUMENT} AS document, {', '.join(order.columns)} FROM products p"
        f" WHERE {where} ORDER BY {order.by} LIMIT %(limit)s"
    )


CATEGORIES = "SELECT category, count(*) AS products FROM products GROUP BY category ORDER BY lower(category), category"
ONE = f"SELECT {DOCUMENT} AS document FROM products p WHERE p.id = %(id)s"
SOME = f"SELECT {DOCUMENT} AS document FROM products p WHERE p.id = ANY (%(ids)s)"
