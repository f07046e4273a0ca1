"""Old products and orders keep their worth, their stock and their place in the search."""

from __future__ import annotations

import psycopg

import order_service
from chassis.currencies import DECIMALS
from chassis.db import migrations
from chassis.testing.postgres import fresh_database
from order_service import money
from order_service.catalog import stock

OLD = """
INSERT INTO products (id, name, description, category, price_minor, currency, stock) VALUES
    ('eur', 'Blue mugs', '', 'Things', 1999, 'EUR', 5), ('jpy', 'Lamp', '', 'Things', 198000, 'JPY', 0),
    ('kwd', 'Lamp', '', 'Things', 125, 'KWD', 1), ('old', 'Lamp', '', 'Things', 199, 'EUT', 1);
INSERT INTO orders (id, buyer_id, status, currency, total_minor, placed_at, history) VALUES
    ('00000000-0000-0000-0000-000000000001', 'u', 'placed', 'JPY', 39610100, now(), '[]'),
    ('00000000-0000-0000-0000-000000000002', 'u', 'placed', 'EUR', 1999, now(), '[]');
INSERT INTO order_lines (order_id, line, product_id, name, unit_price_minor, qty) VALUES
    ('00000000-0000-0000-0000-000000000001', 1, 'jpy', 'Lamp', 198050, 200),
    ('00000000-0000-0000-0000-000000000002', 1, 'eur', 'Blue mugs', 1999, 1);
"""


def test_old_rows_keep_their_worth_stock_and_place_in_the_search() -> None:
    with fresh_database("order_old") as url:
        migrations.upgrade(url, order_service.MIGRATIONS, "0005")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(OLD)
            migrations.upgrade(url, order_service.MIGRATIONS)
            prices = dict(connection.execute("SELECT id, price_minor FROM products").fetchall())
            assert prices == {"eur": 1999, "jpy": 1980, "kwd": 1250, "old": 199}
            totals = connection.execute("SELECT currency, total_minor FROM orders ORDER BY id").fetchall()
            assert totals == [("JPY", 1981 * 200), ("EUR", 1999)]
            assert stock.differences(connection) == []
            found = "SELECT id FROM products WHERE search @@ websearch_to_tsquery('english', 'mug')"
            assert connection.execute(found).fetchall() == [("eur",)]


def test_products_of_the_release_before_are_sold_on() -> None:
    with fresh_database("order_before") as url:
        migrations.upgrade(url, order_service.MIGRATIONS)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(OLD.partition(";")[0])
            assert connection.execute("SELECT count(*) FROM products WHERE active").fetchone() == (4,)
            assert len(stock.differences(connection)) == 3


def test_price_has_the_decimals_of_every_currency() -> None:
    with fresh_database("order_prices") as url:
        migrations.upgrade(url, order_service.MIGRATIONS)
        with psycopg.connect(url, autocommit=True) as connection:
            insert = "INSERT INTO products (id, name, description, category, price_minor, currency, stock)"
            for code in sorted(DECIMALS):
                connection.execute(
                    f"{insert} VALUES (%(code)s, 'Mug', '', 'Things', 12345, %(code)s, 0)", {"code": code}
                )
            prices = connection.execute("SELECT currency, price::text FROM products").fetchall()
    assert dict(prices) == {code: str(money.amount(12345, code)) for code in DECIMALS}
