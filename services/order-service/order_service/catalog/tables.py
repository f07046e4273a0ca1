"""The catalogue's table."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import TSVECTOR

metadata = MetaData()

SEARCH = "setweight(to_tsvector('english', name), 'A') || setweight(to_tsvector('english', description), 'B')"

products = Table(
    "products",
    metadata,
    Column("id", Text, primary_key=True),
    Column("position", BigInteger, Identity(always=True), nullable=False, comment="the catalogue's own order"),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("price_minor", BigInteger, nullable=False, comment="hundredths of the currency"),
    Column("currency", Text, nullable=False, comment="ISO 4217"),
    Column("stock", Integer, nullable=False, comment="units that can still be sold"),
    Column("search", TSVECTOR, Computed(SEARCH, persisted=True), nullable=False),
    UniqueConstraint("position", name="products_position_key"),
    CheckConstraint("stock >= 0", name="products_stock_never_negative"),
    CheckConstraint("price_minor >= 0", name="products_price_never_negative"),
    # An order changes only the stock; room on each page lets PostgreSQL do that without touching an index.
    postgresql_with={"fillfactor": "70"},
)
Index("products_by_category", products.c.category, products.c.position)
Index("products_by_name", func.lower(products.c.name), products.c.position)
Index("products_by_price", products.c.price_minor, products.c.position)
Index("products_search", products.c.search, postgresql_using="gin")
