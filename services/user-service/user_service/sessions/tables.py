"""The sessions' tables."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)

from user_service.accounts.tables import metadata, new_id

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True, server_default=text(new_id("s"))),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    Column("user_agent", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_used_at", DateTime(timezone=True), nullable=False, server_default=func.now()),  # by a refresh
    Column("expires_at", DateTime(timezone=True), nullable=False),  # as its newest refresh token does
    Column("ended_at", DateTime(timezone=True)),
)
Index("sessions_by_user", sessions.c.user_id)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # SHA-256 of 256 random bits: needs no salt
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("uses", Integer, nullable=False, server_default="0"),  # a second one ends the session
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
Index("refresh_tokens_by_session", refresh_tokens.c.session_id)

# Written by triggers (migration 0002), whatever ends a session or erases an account.
endings = Table(
    "endings",
    metadata,
    Column("version", BigInteger, Identity(always=True), primary_key=True),  # in the order of the commits
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("session_id", Text),  # a session that ended, or
    Column("user_id", Text),  # an account whose data other services are to erase
    CheckConstraint("num_nonnulls(session_id, user_id) = 1", name="endings_are_of_one_kind"),
)
Index("endings_by_time", endings.c.at)
