"""Migrations: numbered Alembic scripts, applied by one runner at a time, giving up quickly on a lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, NullPool, create_engine, text

ADVISORY_LOCK = 0x62326320  # "b2c "
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "60s"


def upgrade(url: str, scripts: Path, revision: str = "head") -> None:
    """Bring the database at `url` up to `revision`; a second runner waits for the first."""
    with _locked(url) as connection:
        command.upgrade(_config(scripts, connection), revision)


def downgrade(url: str, scripts: Path, revision: str) -> None:
    """Take the database at `url` back to `revision`, for instance "-1"."""
    with _locked(url) as connection:
        command.downgrade(_config(scripts, connection), revision)


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool, use_native_hstore=False
    )
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()
        yield connection  # closing it gives the lock back, whatever happened


def run_env(metadata: MetaData) -> None:
    """Do what Alembic asks of a service's migrations/env.py."""
    connection: Connection = context.config.attributes["connection"]
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.commit()
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def _config(scripts: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["connection"] = connection
    return config
