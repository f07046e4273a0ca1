"""The command line of order-service: `migrate`, `work` and `catalog`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chassis.db.cli import database_url, migrate_command
from order_service import MIGRATIONS
from order_service.catalog import importer


@click.group()
def cli() -> None:
    """Work on order-service's database."""


cli.add_command(migrate_command("order-service", MIGRATIONS))


@cli.command()
def work() -> None:
    """Run background jobs until SIGTERM; probes and metrics are on PORT."""
    from chassis.app import open_database
    from chassis.server import job_worker
    from order_service.jobs import tasks
    from order_service.services import connect
    from order_service.settings import Settings

    settings = Settings()
    job_worker.work(lambda: connect(settings, open_database(settings)), tasks, MIGRATIONS)


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
