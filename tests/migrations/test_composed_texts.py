"""A catalogue that was imported before texts were composed is found by its categories afterwards."""

from __future__ import annotations

from unicodedata import normalize

import psycopg

import order_service
from chassis.db import migrations
from chassis.db.database import Database
from chassis.testing.postgres import fresh_database
from order_service.catalog.queries import list_products
from order_service.commands import index_for_search

OLD = "INSERT INTO products (id, name, description, category, price_minor, currency, stock)"


def test_decomposed_category_is_found_after_the_migration() -> None:
    decomposed = [normalize("NFD", text) for text in ("S\u00e4ge", "F\u00fcr B\u00e4ume", "G\u00e4rten")]
    with fresh_database("order_texts") as url:
        migrations.upgrade(url, order_service.MIGRATIONS, "0002")
        with psycopg.connect(url) as connection:
            connection.execute(f"{OLD} VALUES ('p1', %s, %s, %s, 100, 'EUR', 1)", decomposed)
        migrations.upgrade(url, order_service.MIGRATIONS)
        index_for_search(url)
        database = Database(url, pool_size=1, statement_timeout_ms=5000)
        documents, _ = list_products(
            database, language="english", q="s\u00e4ge", category="G\u00e4rten", sort=None, limit=1, after=None
        )
        database.close()
    assert len(documents) == 1
    assert "F\u00fcr B\u00e4ume" in documents[0]
