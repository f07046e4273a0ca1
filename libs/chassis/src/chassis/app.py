"""What every service of the shop is bolted on to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Flask

from chassis.auth.tokens import CachingVerifier, TokenVerifier
from chassis.db.database import Database, serve_from
from chassis.http.cors import Cors
from chassis.http.proxies import TrustedProxies
from chassis.http.security_headers import harden
from chassis.problems import answer_problems
from chassis.server.health import Check, Details, health
from chassis.settings import Settings
from chassis.telemetry import logging
from chassis.telemetry.access_log import observe, recorder
from chassis.telemetry.metrics import metrics

__all__ = ["init_app", "open_database"]


def open_database(settings: Settings) -> Database:
    return Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout_ms=settings.database_statement_timeout_ms,
        prepared_statements=settings.database_prepared_statements,
    )


def nobody_has_ended(_session_id: str) -> bool:
    """Say of every session that it goes on: for a service whose statements look at the sessions themselves."""
    return False


def init_app(
    app: Flask,
    settings: Settings,
    *,
    database: Database,
    checks: Mapping[str, Check],
    tokens: TokenVerifier,
    has_ended: Callable[[str], bool] = nobody_has_ended,
    details: Details = dict,
) -> None:
    """Give a service its logs, errors, metrics, health, tokens and database: the one call that it makes."""
    logging.configure(settings.service, settings.app_env, settings.log_level)
    if settings.token_kind == "demo" and settings.app_env in {"stage", "prod"}:
        app.logger.warning("demo_tokens_in_use", extra={"hint": "shared-secret tokens are meant for demonstrations"})
    app.extensions["database"] = database
    app.extensions["tokens"] = CachingVerifier(tokens)
    app.extensions["has_ended"] = has_ended
    app.extensions["service_credentials"] = settings.service_credential
    app.extensions["record"] = recorder(settings.service, settings.app_env, settings.log_level)
    observe(app, app.extensions["record"])
    harden(app)
    Cors(settings.cors_origins).init_app(app)
    answer_problems(app)
    serve_from(app, database)
    app.register_blueprint(health(settings.service, settings.app_env, dict(checks), details))
    app.register_blueprint(metrics)
    if settings.trusted_proxies:
        app.wsgi_app = TrustedProxies(app, settings.trusted_proxies)  # type: ignore[method-assign]
