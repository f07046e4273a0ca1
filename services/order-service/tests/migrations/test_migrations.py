from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from chassis.db import migrations
from chassis.server.health import newest
from chassis.testing.postgres import fresh_database
from order_service import MIGRATIONS
from order_service.catalog.tables import metadata


def test_up_from_nothing_one_down_all_the_way_down_and_up_again() -> None:
    with fresh_database("order_migrations") as url:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        migrations.upgrade(url, MIGRATIONS)
        everything = set(inspect(engine).get_table_names())
        assert everything == {"alembic_version", *metadata.tables}
        migrations.downgrade(url, MIGRATIONS, "-1")
        assert set(inspect(engine).get_table_names()) < everything
        migrations.downgrade(url, MIGRATIONS, "base")
        assert set(inspect(engine).get_table_names()) == {"alembic_version"}
        migrations.upgrade(url, MIGRATIONS)
        assert set(inspect(engine).get_table_names()) == everything
        engine.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_code() -> None:
    with fresh_database("order_drift") as url:
        migrations.upgrade(url, MIGRATIONS)
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()


def test_the_newest_script_is_alembics_head() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == newest(MIGRATIONS)
