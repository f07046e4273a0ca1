from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import Column, NullPool, create_engine

from chassis.testing.postgres import fresh_database
from user_service.__main__ import cli
from user_service.sessions.tables import metadata


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database(f"user_migrations_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}") as url:
        yield url


def migrate(url: str, *options: str) -> str:
    outcome = CliRunner().invoke(cli, ["migrate", *options], env={"DATABASE_URL": url})
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        return {name for (name,) in rows}


def differ(*defaults: object) -> bool | None:
    """Let Alembic evaluate and compare all defaults but new ids, which never come out the same."""
    return False if "uuidv7()" in str(defaults[-1]) else None


def comparable(column: object, *_: object) -> bool:
    """Leave out identity columns: Alembic fails on them when it compares defaults."""
    return not (isinstance(column, Column) and column.identity)


def test_migrations_lead_up_from_nothing_and_down_again(url: str) -> None:
    assert migrate(url) == "user-service: schema is at 0002\n"
    assert tables(url) == {"alembic_version", "users", "sessions", "refresh_tokens", "endings"}
    assert migrate(url, "--down-to", "-1") == "user-service: schema is at -1\n"
    assert tables(url) == {"alembic_version", "users", "sessions", "refresh_tokens"}
    migrate(url, "--down-to", "base")
    assert tables(url) == {"alembic_version"}
    migrate(url)
    assert migrate(url) == "user-service: schema is at 0002\n"


def test_the_tables_are_what_the_migrations_make(url: str) -> None:
    migrate(url)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_server_default": differ, "include_object": comparable}
        )
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        ("(username_digest, name, deleted_at) VALUES ('x', 'Alice', now())", "users_deleted_means_erased"),
        ("(username_digest, username) VALUES ('x', 'alice')", "users_can_sign_in"),
    ],
)
def test_database_refuses_an_account_neither_usable_nor_erased(url: str, row: str, constraint: str) -> None:
    migrate(url)
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        connection.execute(f"INSERT INTO users {row}")


def test_a_migration_without_a_database_url_says_so() -> None:
    outcome = CliRunner().invoke(cli, ["migrate"], env={"DATABASE_URL": None})
    assert outcome.exit_code == 2
    assert "--database-url" in outcome.output
