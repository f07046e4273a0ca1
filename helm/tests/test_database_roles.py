"""The runbooks' SQL on a real PostgreSQL: the owner can migrate, the service can only read and write rows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import yaml
from psycopg import Connection
from rendering import ROOT, SERVICES

from chassis.db import migrations
from chassis.testing.postgres import SERVER_URL, database_url

APPEND_ONLY = {"order_events"}
SQL = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sql_of(runbook: str, containing: str, role: str) -> str:
    (body,) = (sql for sql in SQL.findall((ROOT / f"docs/runbooks/{runbook}.md").read_text()) if containing in sql)
    return re.sub("(user|order)_service", role, body)


def run(connection: Connection, sql: str) -> None:
    for statement in sql.split(";\n"):
        connection.execute(statement.encode())


@contextmanager
def database_of(role: str) -> Iterator[str]:
    """Create roles and database as the runbook says, as no superuser; yield a superuser's URL; drop them afterwards."""
    with psycopg.connect(os.environ[SERVER_URL], autocommit=True) as server:
        server.execute(f"CREATE ROLE {role}_admin LOGIN CREATEDB CREATEROLE PASSWORD '…'".encode())
        try:
            with psycopg.connect(as_role(os.environ[SERVER_URL], f"{role}_admin"), autocommit=True) as admin:
                run(admin, sql_of("first-cluster", "CREATE DATABASE", role))
            yield database_url(role)
        finally:
            server.execute(f"DROP DATABASE IF EXISTS {role} WITH (FORCE)".encode())
            server.execute(f"DROP ROLE IF EXISTS {role}, {role}_owner, {role}_admin".encode())


def as_role(url: str, role: str) -> str:
    return psycopg.conninfo.make_conninfo(url, user=role, password="…")


def migrate(url: str, service: str) -> None:
    """Migrate as the chart's Job does: as the owner, with database.appRole of prod."""
    values = yaml.safe_load((ROOT / f"gitops/envs/prod/values/{service}.yaml").read_text())["database"]
    role = service.replace("-", "_")
    scripts = ROOT / "services" / service / "migrations"
    migrations.upgrade(as_role(url, f"{role}_owner"), scripts, app_role=values["appRole"])


@pytest.mark.parametrize("service", SERVICES)
def test_the_runbooks_make_roles_that_suffice_and_no_more(service: str) -> None:
    role = service.replace("-", "_")
    with database_of(role) as url:
        migrate(url, service)

        with psycopg.connect(as_role(url, role), autocommit=True) as connection:
            tables = [
                row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DELETE FROM alembic_version")
            for table in set(tables) - {"alembic_version", *APPEND_ONLY}:
                connection.execute(f"DELETE FROM {table} WHERE false".encode())
            for table in set(tables) & APPEND_ONLY:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"DELETE FROM {table} WHERE false".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("CREATE TABLE mine ()")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"DROP TABLE {tables[0]}".encode())


def test_the_migration_after_a_restore_gives_the_service_its_rights_back() -> None:
    with database_of("order_service") as url:
        migrate(url, "order-service")
        with psycopg.connect(url, autocommit=True) as connection:
            # Default privileges do not apply to the tables of a restored dump.
            connection.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM order_service")
        migrate(url, "order-service")

        with psycopg.connect(as_role(url, "order_service"), autocommit=True) as connection:
            run(connection, sql_of("restore-database", "FROM products", "order_service"))


def test_the_restore_runbook_deletes_accounts_and_ends_sessions_again() -> None:
    with database_of("user_service") as url:
        migrate(url, "user-service")
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
