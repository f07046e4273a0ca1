"""Alembic's entry: everything is in the chassis."""

from chassis.migrations import run_env
from order_service.orders.tables import metadata

run_env(metadata)
