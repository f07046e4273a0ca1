"""Alembic's entry: everything is in the chassis."""

from chassis.db.migrations import run_env

run_env()
