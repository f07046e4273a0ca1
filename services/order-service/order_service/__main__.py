"""The command line of order-service: `migrate`, `work`, `catalog`, `stock`, `shipping` and `tax`."""

from __future__ import annotations

import click

from chassis.db.cli import migrate_command
from order_service import MIGRATIONS, commands


@click.group()
def cli() -> None:
    """Work on order-service's database."""


cli.add_command(migrate_command("order-service", MIGRATIONS, commands.index_for_search))
cli.add_command(commands.catalog)
cli.add_command(commands.stock_group)
cli.add_command(commands.shipping_group)
cli.add_command(commands.tax_group)


@cli.command()
def work() -> None:
    """Run background jobs until SIGTERM; probes and metrics are on PORT."""
    from chassis.app import open_database
    from chassis.server import job_worker
    from order_service.jobs import tasks
    from order_service.services import connect
    from order_service.settings import Settings

    settings = Settings()
    settings.require_mail()
    job_worker.work(lambda: connect(settings, open_database(settings)), tasks, MIGRATIONS)


if __name__ == "__main__":
    cli()
