"""Run the whole shop on one machine, for `make up` and for tests with real processes."""

from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[4]


class Trouble(click.ClickException):
    """An error for the user: one line that says what failed and what to do."""
