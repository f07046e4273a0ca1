"""Product catalogue and orders."""

from __future__ import annotations

from pathlib import Path

from chassis.app import init_app, open_database
from chassis.http.openapi import Api, api
from chassis.server.health import schema_check
from order_service.audit.pages import audit_pages
from order_service.audit.routes import audit
from order_service.catalog.import_pages import import_pages
from order_service.catalog.pages import catalog_pages
from order_service.catalog.product_pages import product_pages
from order_service.catalog.routes import catalog
from order_service.catalog.staff_routes import products
from order_service.catalog.stock_pages import stock_pages
from order_service.checkout.routes import checkout
from order_service.checkout.staff_routes import terms_routes
from order_service.checkout.terms_pages import terms_pages
from order_service.dashboard.pages import dashboard_pages
from order_service.events.routes import events
from order_service.fulfilment.action_pages import action_pages
from order_service.fulfilment.pages import all_order_pages
from order_service.fulfilment.refund_pages import refund_pages
from order_service.fulfilment.staff_routes import all_orders
from order_service.orders.basket_pages import basket_pages
from order_service.orders.checkout_pages import checkout_pages
from order_service.orders.pages import order_pages
from order_service.orders.payment_pages import payment_pages
from order_service.orders.routes import orders
from order_service.payments.pages import test_payment_pages
from order_service.payments.routes import payment_events, payments
from order_service.refunds.staff_routes import refunds
from order_service.services import connect
from order_service.settings import Settings
from order_service.webhooks.pages import webhook_pages
from order_service.webhooks.routes import webhooks

API = (
    catalog, products, checkout, terms_routes, orders, payments, payment_events, all_orders, refunds, events, webhooks,
    audit,
)  # fmt: skip
PAGES = (
    catalog_pages, basket_pages, checkout_pages, payment_pages, order_pages, test_payment_pages, dashboard_pages,
    all_order_pages, action_pages, refund_pages, product_pages, stock_pages, import_pages, terms_pages, audit_pages,
    webhook_pages,
)  # fmt: skip
MIGRATIONS = Path(__file__).parent.parent / "migrations"


def create_app(settings: Settings) -> Api:
    """Return the service's app and start its session feed."""
    app = api("order-service", title="Order service", version="1.0.0", port=5002)
    for blueprint in API:
        app.register_api(blueprint)
    for pages in PAGES:
        app.register_blueprint(pages)
    database = open_database(settings)
    services = connect(settings, database)
    checks = {"database": schema_check(database, MIGRATIONS)}
    init_app(app, services, prefix="/shop", checks=checks, details=services.details)
    if services.feed:
        services.feed.start()
    return app
