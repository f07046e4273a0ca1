"""The command line of user-service: `migrate`, `work`, `keys` and `staff`."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from chassis.db.cli import migrate_command
from user_service import MIGRATIONS
from user_service.sessions import keys
from user_service.settings import DAY
from user_service.staff.commands import staff_commands


@click.group()
def cli() -> None:
    """Work on user-service's database and on the keys that sign its tokens."""


cli.add_command(migrate_command("user-service", MIGRATIONS))
cli.add_command(staff_commands)


@cli.command()
def work() -> None:
    """Run background jobs until SIGTERM; probes and metrics are on PORT."""
    from chassis.app import open_database
    from chassis.server import job_worker
    from user_service.jobs import tasks
    from user_service.services import connect
    from user_service.settings import Settings

    settings = Settings()
    settings.require_mail()
    job_worker.work(lambda: connect(settings, open_database(settings)), tasks, MIGRATIONS)


@cli.group("keys")
def key_commands() -> None:
    """Manage the FILE that TOKEN_KEYS_FILE names: the private keys of TOKEN_KIND=jwt.

    A running service reads the file again when it changes. To rotate: `rotate`, and after a day `retire`.
    """


key_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@key_commands.command("generate")
@key_file
def generate_keys(file: Path) -> None:
    """Make a new FILE with one key that signs at once."""
    if file.exists():
        sys.exit(f"{file} exists already; `rotate` adds a key to it")
    keys.write(file, [keys.generate(signs_from=time.time())])
    _show(file)


@key_commands.command("list")
@key_file
def list_keys(file: Path) -> None:
    """Show the keys, oldest first, and since when each signs."""
    _show(file)


@key_commands.command()
@key_file
@click.option("--lead", default=120, show_default=True, help="Seconds to publish it for before it signs.")
def rotate(file: Path, lead: int) -> None:
    """Add a key that signs from then on; the others go on verifying."""
    _write(file, [*_read(file), keys.generate(signs_from=time.time() + lead)])


@key_commands.command()
@key_file
@click.option("--after", default=DAY, show_default=True, help="Seconds that a successor must have signed for.")
@click.option("--now", "compromised", metavar="KID", help="Remove this key whatever it signed: its tokens end.")
def retire(file: Path, after: int, compromised: str | None) -> None:
    """Remove the keys whose last token has expired."""
    known = _read(file)
    kept = [key for key in known if key.kid != compromised] if compromised else keys.unexpired(known, after)
    if not kept or (compromised and len(kept) == len(known)):
        sys.exit(f"{compromised}: " + ("the only key; rotate first" if not kept else "no such key"))
    _write(file, kept)


def _read(file: Path) -> list[keys.Key]:
    try:
        return keys.read(file)
    except keys.BadKeys as failure:
        sys.exit(str(failure))


def _write(file: Path, changed: list[keys.Key]) -> None:
    keys.write(file, changed)
    _show(file)


def _show(file: Path) -> None:
    for key in _read(file):
        click.echo(f"{key.kid}  signs from {datetime.fromtimestamp(key.signs_from, UTC):%Y-%m-%d %H:%M:%S} UTC")


if __name__ == "__main__":
    cli()
