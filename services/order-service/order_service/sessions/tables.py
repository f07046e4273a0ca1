"""What this service has learned from the feed of ended sessions."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, DateTime, Index, Table, Text

from order_service.catalog.tables import metadata

session_feed = Table(
    "session_feed",
    metadata,
    Column("version", BigInteger, nullable=False),  # how far the feed has been followed
    Column("singleton", Boolean, primary_key=True, server_default="true"),
    CheckConstraint("singleton", name="session_feed_has_one_row"),
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("session_id", Text, primary_key=True),
    Column("ended_at", DateTime(timezone=True), nullable=False),
)
Index("ended_sessions_by_time", ended_sessions.c.ended_at)

erased_buyers = Table(
    "erased_buyers",
    metadata,
    Column("buyer_id", Text, primary_key=True),
    Column("erased_at", DateTime(timezone=True), nullable=False),
)
