"""Alembic's entry: everything is in the chassis."""

from chassis.db.migrations import run_env
from user_service.sessions.tables import metadata

run_env(metadata)
