"""Run numbered Alembic migrations, one process at a time, with a short lock timeout.

Each migration is a transaction, which holds its locks until its end. So that nobody waits for longer than
LOCK_TIMEOUT, a migration changes one table that is in use, writes no table again while it holds that lock, and leaves
indexes of large tables to `create_indexes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import psycopg
from alembic import command, context, op
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, text

from chassis.db.libpq import ignore_environment

ADVISORY_LOCK = 0x62326320  # "b2c "
LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "60s"
WAIT_SECONDS = 0.2

# The service's role may read and change rows. The migrating role owns the tables and `alembic_version`.
# Default privileges cover the tables of later migrations. What a comment calls append-only stays as it was written.
RIGHTS = """
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {role};
"""
APPEND_ONLY = """
SELECT oid::regclass::text FROM pg_class
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    AND starts_with(obj_description(oid, 'pg_class'), 'append-only')
"""


class BadRole(Exception):
    """The service's role does not exist, or is the role that migrates."""


class NewerDatabase(Exception):
    """The database was migrated by newer code than this; the message says what to do."""


def upgrade(url: str, scripts: Path, revision: str = "head", *, app_role: str | None = None) -> str | None:
    """Upgrade the database to `revision` and let `app_role` use it; return its revision. Runners wait in turn.

    A database that newer code has migrated stays as it is: after a rollback, older code goes on with it.
    """
    with _locked(url) as connection:
        if app_role:
            _require_another(connection, app_role)
        if (_revision(connection) or "") <= head(scripts):
            command.upgrade(_config(scripts, connection), revision)
        if app_role:
            _grant(connection, app_role)
        return _revision(connection)


def downgrade(url: str, scripts: Path, revision: str) -> str | None:
    """Downgrade the database to `revision`, for instance "-1"; return its revision, None before the first."""
    with _locked(url) as connection:
        if (found := _revision(connection) or "") > (known := head(scripts)):
            raise NewerDatabase(f"the schema is at {found}, this code knows {known}: go back with the newer code")
        command.downgrade(_config(scripts, connection), revision)
        return _revision(connection)


def head(scripts: Path) -> str:
    """Return the number of the last migration, such as "0001"."""
    return ScriptDirectory(str(scripts)).get_current_head() or ""


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _require_another(connection: Connection, app_role: str) -> None:
    """Raise BadRole when the role does not exist or is the migrating role, which could alter the tables."""
    found = connection.execute(text("SELECT rolname = current_user FROM pg_roles WHERE rolname = :r"), {"r": app_role})
    owns = found.scalar()
    connection.commit()
    if owns is not False:
        raise BadRole(f"{app_role}: " + ("there is no such role" if owns is None else "the role that migrates"))


def _grant(connection: Connection, app_role: str) -> None:
    role = connection.dialect.identifier_preparer.quote_identifier(app_role)
    schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar()
    connection.exec_driver_sql(RIGHTS.format(role=role, schema=schema))
    for table in connection.exec_driver_sql(APPEND_ONLY).scalars().all():
        connection.exec_driver_sql(f"REVOKE UPDATE, DELETE ON {table} FROM {role}")
    connection.commit()


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    ignore_environment()
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, client_encoding="utf8"),
        poolclass=NullPool,
        use_native_hstore=False,
    )
    with engine.connect() as connection:
        # A statement that waited for the lock would hold a snapshot, for whose end `create_indexes` waits.
        while not _try_lock(connection):
            sleep(WAIT_SECONDS)
        yield connection  # closing the connection releases the lock


def _try_lock(connection: Connection) -> bool:
    locked = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_LOCK}).scalar()
    connection.commit()
    return bool(locked)


def create_indexes(indexes: Mapping[str, str]) -> None:
    """Create indexes, such as {"orders_by_email": "orders (email)"}, while their table is read and written.

    Call it alone in a migration: it commits each index. A migration that failed here is run again from its beginning.
    """
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")  # it blocks nobody
        for name, definition in indexes.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # of an attempt that failed
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
        op.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")


def run_env() -> None:
    """Run the migrations; a service's migrations/env.py calls it."""
    connection: Connection = context.config.attributes["connection"]
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def _config(scripts: Path, connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.attributes["connection"] = connection
    return config
