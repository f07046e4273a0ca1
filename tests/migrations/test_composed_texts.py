"""A catalogue that was imported before texts were composed is found by its categories afterwards."""

from __future__ import annotations

from unicodedata import normalize

import order_service
from chassis.db import migrations
from chassis.db.database import Database
from chassis.testing.postgres import fresh_database
from order_service.catalog import importer
from order_service.catalog.import_file import Product
from order_service.catalog.queries import list_products


def test_decomposed_category_is_found_after_the_migration() -> None:
    decomposed = [normalize("NFD", text) for text in ("S\u00e4ge", "F\u00fcr B\u00e4ume", "G\u00e4rten")]
    with fresh_database("order_texts") as url:
        migrations.upgrade(url, order_service.MIGRATIONS, "0002")
        importer.write(url, [Product("p1", *decomposed, 100, "EUR", 1)])
        migrations.upgrade(url, order_service.MIGRATIONS)
        database = Database(url, pool_size=1, statement_timeout_ms=5000)
        documents, _ = list_products(database, q="s\u00e4ge", category="G\u00e4rten", sort=None, limit=1, after=None)
        database.close()
    assert len(documents) == 1
    assert "F\u00fcr B\u00e4ume" in documents[0]
