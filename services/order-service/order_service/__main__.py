"""The command line: `python -m order_service migrate|catalog`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chassis.db import migrations
from chassis.server.health import newest
from order_service import MIGRATIONS
from order_service.catalog import importer

database_url = click.option(
    "--database-url", envvar="DATABASE_URL", required=True, help="libpq URL; default: $DATABASE_URL."
)


@click.group()
def cli() -> None:
    """Work on order-service's database."""


@cli.command()
@database_url
@click.option("--down-to", metavar="REVISION", help="Go back to this revision instead, for instance -1.")
@click.option("--app-role", envvar="APP_ROLE", help="Let this role, as which the service runs, read and write rows.")
def migrate(database_url: str, down_to: str | None, app_role: str | None) -> None:
    """Bring the database schema to what this version of the code needs."""
    try:
        if down_to:
            migrations.downgrade(database_url, MIGRATIONS, down_to)
        else:
            migrations.upgrade(database_url, MIGRATIONS, app_role=app_role)
    except migrations.BadRole as refusal:
        sys.exit(f"APP_ROLE={refusal}")
    click.echo(f"order-service: schema is at {down_to or newest(MIGRATIONS)}")


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the whole file and say what would change; change nothing.")
@click.option("--if-empty", is_flag=True, help="Do nothing when the catalogue holds products already.")
@database_url
def catalog(file: Path, database_url: str, dry_run: bool, if_empty: bool) -> None:
    """Import products from a CSV FILE: id,name,description,category,price,currency,stock.

    New products are added in the file's order, known ones are updated, others stay as they are.
    A file with one bad row is refused whole.
    """
    try:
        products = importer.read(file, progress=_progress)
    except importer.BadFile as refusal:
        sys.exit(f"{file}: nothing imported\n{refusal}")
    result = importer.write(database_url, products, dry_run=dry_run, only_if_empty=if_empty)
    click.echo(result)


def _progress(total: int) -> importer.Progress:
    return click.progressbar(length=total, label="Reading", file=sys.stderr, hidden=not sys.stderr.isatty())


if __name__ == "__main__":
    cli()
