"""Alembic's entry: everything is in the chassis."""

from chassis.db.migrations import run_env
from order_service.catalog.tables import metadata
from order_service.orders import tables as orders
from order_service.sessions import tables as sessions

TABLES = (orders, sessions)  # to import them is to put them into the metadata

run_env(metadata)
