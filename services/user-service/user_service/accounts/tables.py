"""The accounts' table."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def new_id(kind: str) -> str:
    """Return the SQL for a new id: opaque to clients, sortable by time for the index."""
    return f"'{kind}-' || replace(uuidv7()::text, '-', '')"


users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True, server_default=text(new_id("u"))),
    Column("username_digest", LargeBinary, nullable=False),  # all that stays of a deleted account
    Column("username", Text),
    Column("password_hash", Text),
    Column("password_changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("name", Text),
    Column("email", Text),
    Column("email_key", Text),  # what makes two addresses the same
    Column("phone", Text),
    Column("shipping_address", JSONB(none_as_null=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("deleted_at", DateTime(timezone=True)),
    UniqueConstraint("username_digest", name="users_username_unique"),
    UniqueConstraint("email_key", name="users_email_unique"),
    CheckConstraint(
        "deleted_at IS NOT NULL OR (username IS NOT NULL AND password_hash IS NOT NULL)", name="users_can_sign_in"
    ),
    CheckConstraint(
        "deleted_at IS NULL"
        " OR num_nonnulls(username, password_hash, name, email, email_key, phone, shipping_address) = 0",
        name="users_deleted_means_erased",
    ),
    CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="users_email_has_its_key"),
)
