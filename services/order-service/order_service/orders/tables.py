"""The orders' tables."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from order_service.catalog.tables import metadata

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True, comment="UUIDv7: sorts by time"),
    Column("buyer_id", Text, nullable=False),
    Column("buyer_name", Text),
    Column("status", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("ship_to", JSONB),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("history", JSONB, nullable=False, comment="[{status, at}], oldest first"),
    Column("idempotency_key", Text),
    Column("fingerprint", LargeBinary, comment="of the request that the key came with"),
    Column("receipt", Text, comment="the answer to that request, to the byte"),
    UniqueConstraint("buyer_id", "idempotency_key", name="orders_one_per_idempotency_key"),
    CheckConstraint("status IN ('placed', 'cancelled')", name="orders_status_known"),
    CheckConstraint("total_minor >= 0", name="orders_total_never_negative"),
)
Index("orders_by_buyer", orders.c.buyer_id, orders.c.id)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("line", SmallInteger, primary_key=True),
    # No foreign key to products: the line keeps what was sold, as it was sold.
    Column("product_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    Column("qty", Integer, nullable=False),
    CheckConstraint("qty BETWEEN 1 AND 999", name="order_lines_qty_in_range"),
    CheckConstraint("unit_price_minor >= 0", name="order_lines_price_never_negative"),
)
