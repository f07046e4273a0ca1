"""The generated services/*/migrations/schema.sql equals the result of the migrations."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from alembic.script import ScriptDirectory

from chassis.db import migrations
from chassis.server.health import newest
from chassis.testing.postgres import APP, OWNER, as_role, fresh_database
from localshop.postgres import BIN

SERVICES = Path(__file__).parents[2] / "services"
SCRIPTS = {service: SERVICES / service / "migrations" for service in ("user-service", "order-service")}
# Comments with PostgreSQL versions, settings, and the random keys of a dump are not part of the schema.
HEAD = "-- What the migrations make. Written by `make schema`.\n\n"
NO_SCHEMA = re.compile(r"^(--|SET |SELECT pg_catalog\.set_config|\\(un)?restrict).*\n", re.MULTILINE)


@pytest.fixture(params=SCRIPTS)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(service: str) -> Iterator[str]:
    with fresh_database(f"{service.partition('-')[0]}_schema") as url:
        yield url


def dump(url: str) -> str:
    """Return the SQL of a database's schema without Alembic's own table."""
    options = ["--schema-only", "--no-owner", "--no-privileges", "--exclude-table=alembic_version"]
    output = subprocess.run([BIN / "pg_dump", *options, url], check=True, capture_output=True, text=True).stdout
    return re.sub(r"\n{2,}", "\n\n", NO_SCHEMA.sub("", output)).strip() + "\n"


def test_schema_sql_is_what_the_migrations_make(service: str, url: str) -> None:
    migrations.upgrade(url, SCRIPTS[service])
    file = SCRIPTS[service] / "schema.sql"
    made = HEAD + dump(url)
    if os.environ.get("UPDATE_SCHEMA"):
        file.write_text(made)
    assert file.read_text() == made, f"{file}: run `make schema` and commit the file"


def test_each_migration_goes_down_to_the_schema_it_came_from(service: str, url: str) -> None:
    steps = list(ScriptDirectory(str(SCRIPTS[service])).walk_revisions())
    for step in reversed(steps):
        before = dump(url)
        assert migrations.upgrade(url, SCRIPTS[service], step.revision) == step.revision
        after = dump(url)
        assert migrations.downgrade(url, SCRIPTS[service], "-1") == step.down_revision
        assert dump(url) == before
        migrations.upgrade(url, SCRIPTS[service], step.revision)
        assert dump(url) == after


def test_readiness_and_alembic_agree_on_the_newest_revision(service: str) -> None:
    assert ScriptDirectory(str(SCRIPTS[service])).get_current_head() == newest(SCRIPTS[service])


@pytest.mark.parametrize("schema", ["shop", "The-Shop"])
def test_app_role_gets_its_rights_in_the_schema_of_the_search_path(service: str, url: str, schema: str) -> None:
    option = quote(f'-c search_path="{schema}"')
    url = f"{url}&options={option}"
    with psycopg.connect(as_role(url, OWNER)) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"'.encode())
    migrations.upgrade(as_role(url, OWNER), SCRIPTS[service], app_role=APP)
    table = {"user-service": "users", "order-service": "orders"}[service]
    with psycopg.connect(as_role(url, APP)) as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM alembic_version")
