"""The runbooks' SQL on a real PostgreSQL: the owner can migrate, the service can only read and write rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import Connection
from rendering import ROOT, SERVICES

from chassis.db import migrations
from chassis.testing.postgres import SERVER_URL, database_url

SQL = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sql_of(runbook: str, containing: str, role: str) -> str:
    (body,) = (sql for sql in SQL.findall((ROOT / f"docs/runbooks/{runbook}.md").read_text()) if containing in sql)
    return re.sub("(user|order)_service", role, body)


def run(connection: Connection, sql: str) -> None:
    for statement in sql.split(";\n"):
        connection.execute(statement.encode())


@contextmanager
def database_of(role: str) -> Iterator[str]:
    """Create roles and database as in the runbook; yield the superuser's URL; drop them afterwards."""
    before, _, within = sql_of("first-cluster", "CREATE DATABASE", role).partition(f"\\connect {role}\n")
    with psycopg.connect(os.environ[SERVER_URL], autocommit=True) as server:
        run(server, before)
        try:
            with psycopg.connect(database_url(role), autocommit=True) as connection:
                run(connection, within)
            yield database_url(role)
        finally:
            server.execute(f"DROP DATABASE {role} WITH (FORCE)".encode())
            server.execute(f"DROP ROLE {role}, {role}_owner".encode())


def as_role(url: str, role: str) -> str:
    return psycopg.conninfo.make_conninfo(url, user=role, password="…")


@pytest.mark.parametrize("service", SERVICES)
def test_the_runbooks_make_roles_that_suffice_and_no_more(service: str) -> None:
    role = service.replace("-", "_")
    with database_of(role) as url:
        migrations.upgrade(as_role(url, f"{role}_owner"), ROOT / "services" / service / "migrations")

        with psycopg.connect(as_role(url, role), autocommit=True) as connection:
            tables = [
                row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ]
            assert "alembic_version" in tables
            for table in tables:
                connection.execute(f"DELETE FROM {table} WHERE false".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE mine ()")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"DROP TABLE {tables[0]}".encode())


def test_the_restore_runbook_gives_the_service_its_rights_back() -> None:
    with database_of("order_service") as url:
        migrations.upgrade(as_role(url, "order_service_owner"), ROOT / "services/order-service/migrations")
        with psycopg.connect(url, autocommit=True) as connection:
            # Default privileges do not apply to the tables of a restored dump.
            connection.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM order_service")

            run(connection, sql_of("restore-database", "GRANT SELECT", "order_service"))

        with psycopg.connect(as_role(url, "order_service"), autocommit=True) as connection:
            run(connection, sql_of("restore-database", "FROM products", "order_service"))


def test_the_restore_runbook_deletes_accounts_and_ends_sessions_again() -> None:
    with database_of("user_service") as url:
        migrations.upgrade(as_role(url, "user_service_owner"), ROOT / "services/user-service/migrations")
        with psycopg.connect(as_role(url, "user_service"), autocommit=True) as connection:
            connection.execute("""
                INSERT INTO users (id, username_digest, username, password_hash, name)
                SELECT 'u-' || name, name::bytea, name, 'hash', name FROM unnest(ARRAY['...', 'bob']) AS name
            """)
            connection.execute("INSERT INTO sessions (user_id, expires_at) SELECT id, now() FROM users")

            run(connection, sql_of("restore-database", "UPDATE sessions SET ended_at", "user_service"))
            run(connection, sql_of("restore-database", "UPDATE users", "user_service"))

            assert connection.execute("SELECT name FROM users ORDER BY id").fetchall() == [(None,), ("bob",)]
            told = connection.execute("SELECT count(session_id), count(user_id) FROM endings").fetchone()
            assert told == (2, 1)
