"""Alembic's entry point; the chassis runs the migrations."""

from chassis.db.migrations import run_env

run_env()
