"""Set up a service: open its database, initialise its app."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, request

from chassis.context import Services
from chassis.db.database import Database
from chassis.http.dispatch import FLASK_RULE, Dispatcher
from chassis.http.error_handlers import handle_errors
from chassis.http.openapi import Api
from chassis.http.proxies import TrustedProxies
from chassis.http.security_headers import protect_pages
from chassis.pages.setup import init_pages
from chassis.server.health import Check, Details, health
from chassis.settings import Settings
from chassis.telemetry import logging
from chassis.telemetry.access_log import AccessLog


def open_database(settings: Settings) -> Database:
    """Return the service's database; connections are opened on first use."""
    return Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_ms=settings.database_statement_timeout_ms,
        prepared_statements=settings.database_prepared_statements,
    )


def init_app(
    app: Api, services: Services, *, prefix: str, checks: Mapping[str, Check], details: Details = dict
) -> None:
    """Set up logging, health routes, error handlers, pages and the dispatcher; call it after registering blueprints.

    `prefix` is the path below which the service's pages are.
    """
    settings = services.settings
    logging.configure(settings.service, settings.app_env, settings.log_level)
    if settings.token_kind == "demo" and settings.app_env in {"stage", "prod"}:
        app.logger.warning("demo_tokens_in_use", extra={"hint": "shared-secret tokens are meant for demonstrations"})
    if settings.allow_unverified_database and settings.app_env == "prod":
        app.logger.warning("unverified_database_allowed", extra={"hint": "sslmode=verify-full checks its identity"})
    app.services = services
    app.register_blueprint(health(settings.service, settings.app_env, dict(checks), details))
    handle_errors(app)
    init_pages(app, services, prefix)
    protect_pages(app)
    app.after_request(_note_rule)
    access_log = AccessLog(settings.service, settings.app_env, settings.log_level)
    app.wsgi_app = Dispatcher(app, services, access_log)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        app.wsgi_app = TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]


def _note_rule(response: Response) -> Response:
    """Store the matched URL rule for the dispatcher's access line."""
    request.environ[FLASK_RULE] = request.url_rule.rule if request.url_rule else "(none)"
    return response
