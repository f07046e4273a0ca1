"""Product catalogue and orders."""

from __future__ import annotations

from pathlib import Path

from chassis.app import init_app, open_database
from chassis.http.openapi import Api, api
from chassis.server.health import schema_check
from order_service.catalog.routes import catalog
from order_service.orders.routes import orders
from order_service.services import connect
from order_service.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def create_app(settings: Settings) -> Api:
    """Return the service's app and start its session feed."""
    app = api("order-service", title="Order service", version="1.0.0")
    for blueprint in (catalog, orders):
        app.register_api(blueprint)
    database = open_database(settings)
    services = connect(settings, database)
    init_app(app, services, checks={"database": schema_check(database, MIGRATIONS)}, details=services.details)
    if services.feed:
        services.feed.start()
    return app
