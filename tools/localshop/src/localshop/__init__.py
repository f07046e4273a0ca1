"""The whole shop on one machine, for people who try it and for the tests that need real processes."""

from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[4]


class Trouble(click.ClickException):
    """What went wrong and what to do about it, in one line."""
