"""The command line: `python -m user_service migrate`."""

from __future__ import annotations

import click

from chassis import migrations
from chassis.health import newest
from user_service import MIGRATIONS

database_url = click.option(
    "--database-url", envvar="DATABASE_URL", required=True, help="libpq URL; default: $DATABASE_URL."
)


@click.group()
def cli() -> None:
    """Work on user-service's database."""


@cli.command()
@database_url
@click.option("--down-to", metavar="REVISION", help="Go back to this revision instead, for instance -1.")
def migrate(database_url: str, down_to: str | None) -> None:
    """Bring the database schema to what this version of the code needs."""
    if down_to:
        migrations.downgrade(database_url, MIGRATIONS, down_to)
    else:
        migrations.upgrade(database_url, MIGRATIONS)
    click.echo(f"user-service: schema is at {down_to or newest(MIGRATIONS)}")


if __name__ == "__main__":
    cli()
