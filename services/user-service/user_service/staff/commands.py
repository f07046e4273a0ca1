"""The commands that say who belongs to the staff."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from chassis.db.cli import database_url
from chassis.db.database import Database
from user_service.accounts.actions import register
from user_service.accounts.passwords import Passwords
from user_service.accounts.rules import UsernameTaken
from user_service.staff import roles

T = TypeVar("T")
username = click.argument("username")


@click.group("staff")
def staff_commands() -> None:
    """Say who belongs to the staff. In stage and prod they need a second factor, too."""


@staff_commands.command()
@username
@database_url
def grant(username: str, database_url: str) -> None:
    """Make a user one of the staff; their sessions end, so that they sign in again."""
    user = _run(database_url, lambda db: roles.grant(db, username=username))
    click.echo(f"{user.username} belongs to the staff")
    if not user.has_second_factor:
        click.echo(f"{user.username} has no second factor yet; in stage and prod the role has no effect without one")


@staff_commands.command()
@username
@database_url
def revoke(username: str, database_url: str) -> None:
    """Make a user a customer again; their sessions end."""
    user = _run(database_url, lambda db: roles.revoke(db, username=username))
    click.echo(f"{user.username} does not belong to the staff")


@staff_commands.command("list")
@database_url
def list_staff(database_url: str) -> None:
    """List the staff."""
    for user in _run(database_url, roles.list_staff):
        factor = "with" if user.has_second_factor else "without"
        click.echo(f"{user.username}  {factor} second factor{'  disabled' if user.disabled_at else ''}")


@staff_commands.command("reset-second-factor")
@username
@database_url
def reset_second_factor(username: str, database_url: str) -> None:
    """Switch off the second factor of a user who lost the app and the recovery codes; their sessions end."""
    was_on = _run(database_url, lambda db: roles.reset_second_factor(db, username=username))
    click.echo(f"{username}: the second factor is off" if was_on else f"{username} had no second factor")


@staff_commands.command()
@username
@click.option("--password-file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@database_url
def add(username: str, password_file: Path, database_url: str) -> None:
    """Open an account with the password in a file, and make it one of the staff; change nothing if it exists."""
    password = password_file.read_text().strip()

    def add(db: Database) -> str:
        try:
            register(db, Passwords(), username=username, password=password, name=None, email=None)
        except UsernameTaken:
            return f"{username} exists already"
        roles.grant(db, username=username)
        return f"{username} belongs to the staff"

    click.echo(_run(database_url, add))


def _run(url: str, work: Callable[[Database], T]) -> T:
    database = Database(url, pool_size=1)
    try:
        return work(database)
    except roles.NoSuchUser as refusal:
        sys.exit(str(refusal))
    finally:
        database.close()
