from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from click.testing import CliRunner

from chassis.server.health import newest
from chassis.testing.postgres import fresh_database
from user_service import MIGRATIONS
from user_service.__main__ import cli


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database("migrate_command") as url:
        yield url


def migrate(url: str, *options: str) -> str:
    outcome = CliRunner().invoke(cli, ["migrate", *options], env={"DATABASE_URL": url})
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_migrate_reports_the_revision_of_the_database(url: str) -> None:
    head = newest(MIGRATIONS)
    assert migrate(url) == f"user-service: schema is at {head}\n"
    assert migrate(url) == f"user-service: schema is at {head}\n"
    assert migrate(url, "--down-to", "0001") == "user-service: schema is at 0001\n"
    assert migrate(url, "--down-to", "base") == "user-service: schema is at base\n"


def test_database_of_newer_code_stays_as_it_is_and_is_named(url: str) -> None:
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")

    assert migrate(url) == f"user-service: schema is at 0099, newer than this code ({newest(MIGRATIONS)})\n"
    back = CliRunner().invoke(cli, ["migrate", "--down-to", "-1"], env={"DATABASE_URL": url})
    assert back.exit_code == 1
    assert back.output.startswith("user-service: the schema is at 0099, this code knows ")
    assert "go back with the newer code" in back.output


def test_migrate_without_a_database_url_names_the_option() -> None:
    outcome = CliRunner().invoke(cli, ["migrate"], env={"DATABASE_URL": None})
    assert outcome.exit_code == 2
    assert "--database-url" in outcome.output


def test_migrate_in_prod_refuses_an_unverified_database(url: str) -> None:
    prod = {"DATABASE_URL": url, "APP_ENV": "prod"}
    refused = CliRunner().invoke(cli, ["migrate"], env=prod)
    assert (refused.exit_code, "is refused in prod" in refused.output) == (1, True)
    assert CliRunner().invoke(cli, ["migrate"], env=prod | {"ALLOW_UNVERIFIED_DATABASE": "true"}).exit_code == 0


def test_migrate_refuses_a_role_that_does_not_exist(url: str) -> None:
    outcome = CliRunner().invoke(cli, ["migrate", "--app-role", "nobody_here"], env={"DATABASE_URL": url})
    assert outcome.exit_code == 1
    assert "APP_ROLE=nobody_here: there is no such role" in outcome.output


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        ("(username_digest, name, deleted_at) VALUES ('x', 'Alice', now())", "users_deleted_means_erased"),
        ("(username_digest, username) VALUES ('x', 'alice')", "users_can_sign_in"),
    ],
)
def test_an_account_is_either_usable_or_erased(url: str, row: str, constraint: str) -> None:
    migrate(url)
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.CheckViolation, match=constraint):
        connection.execute(f"INSERT INTO users {row}")
