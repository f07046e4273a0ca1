"""Compare the stock of every product with the sum of its movements."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

DIFFERENT = """
SELECT p.id, p.stock, coalesce(m.units, 0) AS moved
FROM products p LEFT JOIN (SELECT product_id, sum(units) AS units FROM stock_movements GROUP BY product_id) AS m
    ON m.product_id = p.id
WHERE p.stock <> coalesce(m.units, 0)
ORDER BY p.id"""
LOCK_ONE = "SELECT FROM products WHERE id = %(id)s FOR NO KEY UPDATE"
CORRECT = """
INSERT INTO stock_movements (product_id, kind, units, reason)
SELECT id, 'adjustment', difference, 'correction of the record' FROM (
    SELECT id, stock - (SELECT coalesce(sum(units), 0) FROM stock_movements WHERE product_id = %(id)s) AS difference
    FROM products WHERE id = %(id)s
) AS found WHERE difference <> 0"""


class Difference(NamedTuple):
    """A product whose movements do not add up to its stock."""

    product_id: str
    stock: int
    moved: int

    def __str__(self) -> str:
        return f"{self.product_id}: {self.stock} in stock, {self.moved} by its movements"


def differences(connection: psycopg.Connection[Any]) -> list[Difference]:
    return [Difference(*row) for row in connection.execute(DIFFERENT)]


def correct(connection: psycopg.Connection[Any], product_id: str) -> None:
    """Add the movement that makes the movements agree with the stock, such as sales by an older release."""
    with connection.transaction():
        connection.execute(LOCK_ONE, {"id": product_id})
        connection.execute(CORRECT, {"id": product_id})
