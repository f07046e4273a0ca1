"""The command line of order-service: `migrate`, `catalog` and `stock`."""

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


if __name__ == "__main__":
    cli()
