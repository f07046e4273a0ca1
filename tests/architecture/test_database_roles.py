"""The service role may change rows only; the migrating role alone may change tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click import Group
from click.testing import CliRunner

import order_service
import user_service
from chassis.testing.postgres import APP, OWNER, as_role, fresh_database, migrated_database
from order_service.__main__ import cli as order_cli
from user_service.__main__ import cli as user_cli

SERVICES = {
    "user-service": (user_service.MIGRATIONS, user_cli, "users"),
    "order-service": (order_service.MIGRATIONS, order_cli, "orders"),
}
APPEND_ONLY = {"order_events"}
FORBIDDEN = [
    "DROP TABLE {table}",
    "ALTER TABLE {table} ADD COLUMN extra text",
    "TRUNCATE {table} CASCADE",
    "CREATE INDEX ON {table} ((1))",
    "CREATE TABLE mine ()",
    "UPDATE alembic_version SET version_num = '0000'",
    "DELETE FROM alembic_version",
    "SET ROLE {owner}",
]


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> Iterator[tuple[str, psycopg.Connection]]:
    """Return a service's name and a connection of its role."""
    scripts: Path = SERVICES[request.param][0]
    with migrated_database("roles", scripts) as url, psycopg.connect(url, autocommit=True) as connection:
        yield request.param, connection


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_service_role_is_not_allowed_to(service: tuple[str, psycopg.Connection], statement: str) -> None:
    name, connection = service
    forbidden = statement.format(table=SERVICES[name][2], owner=OWNER)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(forbidden)


def test_service_role_reads_and_writes_the_rows_of_every_table(service: tuple[str, psycopg.Connection]) -> None:
    _, connection = service
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    rights = {
        table: [
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            if connection.execute("SELECT has_table_privilege(%s, %s)", [table, right]).fetchone() == (True,)
        ]
        for (table,) in tables
    }
    assert rights.pop("alembic_version") == ["SELECT"]
    for table in APPEND_ONLY & rights.keys():
        assert rights.pop(table) == ["SELECT", "INSERT"]
    assert len(rights) >= 3
    assert rights == {table: ["SELECT", "INSERT", "UPDATE", "DELETE"] for table in rights}


def test_service_role_may_use_tables_of_later_migrations() -> None:
    with migrated_database("roles_later", order_service.MIGRATIONS) as url:
        with psycopg.connect(url.replace(f"={APP}", f"={OWNER}")) as owner:
            owner.execute("CREATE TABLE later (name text)")
        with psycopg.connect(url) as app:
            app.execute("INSERT INTO later VALUES ('x')")


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(
    ("role", "reason"), [("nobody_by_this_name", "there is no such role"), (OWNER, "the role that migrates")]
)
def test_a_migration_for_a_wrong_role_is_refused_before_anything_changes(name: str, role: str, reason: str) -> None:
    with fresh_database("wrong_role") as url:
        owner_url = as_role(url, OWNER)
        outcome = CliRunner().invoke(cli(name), ["migrate"], env={"DATABASE_URL": owner_url, "APP_ROLE": role})
        assert outcome.exit_code == 1
        assert outcome.output == f"APP_ROLE={role}: {reason}\n"
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def cli(name: str) -> Group:
    command: Group = SERVICES[name][1]
    return command
