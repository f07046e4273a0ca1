"""Look into the databases of a shop, and change them, as its owner would."""

from __future__ import annotations

from typing import Any

import psycopg

from localshop.shop import Shop


class Databases:
    """Both databases of a shop, and the products that a test adds."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._added: list[str] = []

    def query(self, database: str, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        with self._connect(database) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def run(self, database: str, statement: str, **values: Any) -> int:
        """Run a statement; return how many rows it changed."""
        with self._connect(database) as connection:
            return connection.execute(statement.encode(), values).rowcount

    def add_product(self, product_id: str, *, name: str = "Test lamp", stock: int = 100, price: int = 1000) -> str:
        """Add a product at a price in cents; return its id."""
        self.removes(product_id)
        statement = """
            WITH p AS (
                INSERT INTO products (id, name, description, category, price_minor, currency, stock, search)
                VALUES (%(id)s, %(name)s, '', 'Test', %(price)s, 'EUR', %(stock)s, to_tsvector('english', %(name)s))
                RETURNING id, stock
            )
            INSERT INTO stock_movements (product_id, kind, units) SELECT id, 'opening', stock FROM p WHERE stock <> 0"""
        self.run("order_service", statement, id=product_id, name=name, price=price, stock=stock)
        return product_id

    def removes(self, product_id: str) -> None:
        """Remove this product after the test."""
        self._added.append(product_id)

    def remove_added(self) -> None:
        self.run("order_service", "DELETE FROM products WHERE id = ANY(%(ids)s)", ids=self._added)

    def make_staff(self, username: str) -> None:
        self.run("user_service", "UPDATE users SET roles = '{staff}' WHERE username = %(name)s", name=username)

    def pay(self, order_id: str, *, email: str) -> None:
        """Pay an order with a payment of the test provider, as if its event had come."""
        statement = """
            WITH o AS (
                UPDATE orders SET payment_status = 'paid', paid_minor = total_minor, email = %(email)s
                WHERE 'o-' || replace(id::text, '-', '') = %(id)s RETURNING *
            )
            INSERT INTO payments (order_id, provider, provider_id, amount_minor, currency, status, accepted,
                                  paid_minor, paid_currency, paid_at)
            SELECT id, 'test', id::text, total_minor, currency, 'paid', true, total_minor, currency, now() FROM o"""
        assert self.run("order_service", statement, id=order_id, email=email) == 1

    def state(self, order_id: str) -> tuple[str, str, int, int]:
        """Return status, payment status, and the amounts that were paid and refunded."""
        statement = """
            SELECT status, payment_status, paid_minor, refunded_minor FROM orders
            WHERE 'o-' || replace(id::text, '-', '') = %(id)s"""
        status, payment, paid, refunded = self.query("order_service", statement, id=order_id)[0]
        return status, payment, paid, refunded

    def number(self, order_id: str) -> str:
        statement = "SELECT order_number(id) FROM orders WHERE 'o-' || replace(id::text, '-', '') = %(id)s"
        return str(self.query("order_service", statement, id=order_id)[0][0])

    def orders(self, product_id: str) -> int:
        """Return how many orders there are of a product."""
        statement = "SELECT count(*) FROM order_lines WHERE product_id = %(id)s"
        return int(self.query("order_service", statement, id=product_id)[0][0])

    def _connect(self, database: str) -> psycopg.Connection:
        assert self._shop.postgres
        return psycopg.connect(self._shop.postgres.url(database))
