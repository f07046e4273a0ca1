"""The command line behind `make up`, `make reset` and `make catalog`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from localshop import ROOT, Trouble
from localshop.environment import drop_foreign_variables
from localshop.preflight import own_databases
from localshop.shop import Shop, default_workers
from localshop.signals import until_asked_to_stop
from localshop.staff import first_staff
from localshop.welcome import welcome

PORT = click.IntRange(1, 65_535)
WORKERS = click.IntRange(1, 64)


def say(part: str, what: str) -> None:
    with suppress(OSError, UnicodeError):  # a closed or old terminal is no reason to leave processes behind
        click.echo(f"  {part:<14} {what}")


@click.group()
@click.option("--data", type=click.Path(path_type=Path), default=ROOT / ".data", show_default=True)
@click.option("--user-port", envvar="USER_PORT", default=5001, type=PORT, show_default=True, show_envvar=True)
@click.option("--order-port", envvar="ORDER_PORT", default=5002, type=PORT, show_default=True, show_envvar=True)
@click.option("--mailbox-port", envvar="MAILBOX_PORT", default=5003, type=PORT, show_default=True, show_envvar=True)
@click.option("--workers", envvar="WORKERS", type=WORKERS, help="Of order-service; default: one for each core.")
@click.pass_context
def cli(
    context: click.Context, *, data: Path, user_port: int, order_port: int, mailbox_port: int, workers: int | None
) -> None:
    """Run the whole shop on this machine."""
    drop_foreign_variables()
    if user_port == order_port:
        raise Trouble(f"USER_PORT and ORDER_PORT are both {user_port}: set one of them to another port")
    if mailbox_port in {user_port, order_port}:
        raise Trouble(f"MAILBOX_PORT is {mailbox_port}, the port of a service: set it to another port")
    context.obj = Shop(
        data.absolute(),
        user_port=user_port,
        order_port=order_port,
        mailbox_port=mailbox_port,
        databases=own_databases(os.environ),
        order_workers=workers or default_workers(),
        say=say,
    )


@cli.command()
@click.pass_obj
def up(shop: Shop) -> None:
    """Run the shop until Ctrl-C."""
    with until_asked_to_stop(), shop:
        staff_password = first_staff(shop)
        with suppress(OSError, UnicodeError):
            click.echo(welcome(shop, staff_password))
        raise shop.wait().trouble("ended by itself")


@cli.command()
@click.pass_obj
def reset(shop: Shop) -> None:
    """Delete all data of the shop, which must not be running."""
    shop.erase()
    say("reset", f"{shop.data} is gone; the next `make up` starts from nothing")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def catalog(shop: Shop, file: Path) -> None:
    """Import products from a CSV FILE into the running shop."""
    if not file.is_file():
        raise Trouble(f"there is no file {file}")
    sys.exit(shop.import_catalog(file))


if __name__ == "__main__":
    cli()
