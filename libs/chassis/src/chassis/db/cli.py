"""The `migrate` command of every service."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from chassis.db import migrations
from chassis.settings import unverified_database


def _verified(_context: click.Context, _parameter: click.Parameter, url: str) -> str:
    """Refuse what the service refuses in prod: these commands connect as the owner."""
    allowed = click.BOOL.convert(os.environ.get("ALLOW_UNVERIFIED_DATABASE") or "0", None, None)
    if os.environ.get("APP_ENV") == "prod" and not allowed:
        for fault in unverified_database(url):
            sys.exit(fault)
    return url


database_url = click.option(
    "--database-url",
    envvar="DATABASE_URL",
    required=True,
    callback=_verified,
    help="libpq URL; default: $DATABASE_URL.",
)


def migrate_command(service: str, scripts: Path, afterwards: Callable[[str], None] = lambda _: None) -> click.Command:
    """Return the command that applies a service's migrations, and then calls `afterwards` with the database's URL."""

    @click.command()
    @database_url
    @click.option("--down-to", metavar="REVISION", help="Go back to this revision instead, for instance -1.")
    @click.option("--app-role", envvar="APP_ROLE", help="Let this role, as which the service runs, change rows.")
    def migrate(database_url: str, down_to: str | None, app_role: str | None) -> None:
        """Bring the database schema to the version that this code needs."""
        try:
            if down_to:
                revision = migrations.downgrade(database_url, scripts, down_to)
            else:
                revision = migrations.upgrade(database_url, scripts, app_role=app_role)
        except migrations.BadRole as refusal:
            sys.exit(f"APP_ROLE={refusal}")
        except migrations.NewerDatabase as refusal:
            sys.exit(f"{service}: {refusal}")
        if not down_to and revision == migrations.head(scripts):
            afterwards(database_url)
        newer = f", newer than this code ({known})" if (revision or "") > (known := migrations.head(scripts)) else ""
        click.echo(f"{service}: schema is at {revision or 'base'}{newer}")

    return migrate
