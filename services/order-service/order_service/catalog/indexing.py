"""Write the search text of products that have none, or that of another language or version."""

from __future__ import annotations

from typing import Any

import psycopg

from order_service.catalog import search

_STEP = 500

# In key order, as orders lock them.
STALE = """
SELECT id, name, description FROM products WHERE indexed_as IS DISTINCT FROM %(indexed_as)s
ORDER BY id LIMIT %(step)s FOR NO KEY UPDATE"""
WRITE = f"""
UPDATE products SET search = {search.indexed("w", "%(language)s")}, indexed_as = %(indexed_as)s
FROM unnest(CAST(%(ids)s AS text[]), CAST(%(plain)s AS text[]), CAST(%(names)s AS text[]),
            CAST(%(descriptions)s AS text[])) AS w(id, plain, stem_name, stem_description)
WHERE products.id = w.id"""


def index_all(connection: psycopg.Connection[Any], language: str) -> int:
    """Index every product that is not indexed so; return how many. Outside a transaction, each step is its own."""
    parameters = {"language": language, "indexed_as": search.indexed_as(language), "step": _STEP}
    count = 0
    while step := _index_some(connection, parameters):
        count += step
    return count


def _index_some(connection: psycopg.Connection[Any], parameters: dict[str, Any]) -> int:
    with connection.transaction():
        rows = connection.execute(STALE, parameters).fetchall()
        if rows:
            plain, names, descriptions = map(list, zip(*(search.index(*row) for row in rows), strict=True))
            columns = {"ids": [row[0] for row in rows], "plain": plain, "names": names, "descriptions": descriptions}
            connection.execute(WRITE, parameters | columns)
    return len(rows)
