"""Product catalogue and orders."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from chassis.app import init_app, nobody_has_ended, open_database
from chassis.http.api import api
from chassis.http.dispatch import Dispatcher
from chassis.http.response_cache import ResponseCache
from chassis.server.health import schema_check
from order_service.catalog.routes import catalog
from order_service.orders.routes import orders
from order_service.sessions.trust import refuse_orders_on_old_news, trust
from order_service.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def create_app(settings: Settings) -> Flask:
    app = api("order-service", title="Order service", version="1.0.0")
    database = open_database(settings)
    tokens, follower = trust(settings, database)
    init_app(
        app,
        settings,
        database=database,
        checks={"database": schema_check(database, MIGRATIONS)},
        tokens=tokens,
        has_ended=follower.has_ended if follower else nobody_has_ended,
        details=(lambda: {"session_feed_age_seconds": round(follower.age_seconds, 1)}) if follower else dict,
    )
    app.register_api(catalog)
    app.register_api(orders)
    if follower:
        refuse_orders_on_old_news(app, follower, settings.session_feed_max_age_seconds)
    app.wsgi_app = Dispatcher(app)  # type: ignore[method-assign]
    app.wsgi_app = ResponseCache(app, "/products", app.extensions["record"])  # type: ignore[method-assign]
    if follower:
        follower.start()
    return app
