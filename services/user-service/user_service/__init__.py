"""Registration, sign-in, profiles and signed tokens."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from chassis.app import init_app, open_database
from chassis.http.api import api
from chassis.http.dispatch import Dispatcher
from chassis.rate_limit.limiter import RateLimiter
from chassis.server.health import schema_check
from user_service.accounts.hashing import hashing_slots
from user_service.accounts.passwords import Passwords
from user_service.accounts.routes import registration
from user_service.profile.routes import own_profile
from user_service.sessions.routes import for_services, own_sessions, sign_in
from user_service.sessions.signing import issuer
from user_service.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def create_app(settings: Settings) -> Flask:
    app = api("user-service", title="User service", version="1.0.0")
    database = open_database(settings)
    tokens = issuer(settings)
    checks = {"database": schema_check(database, MIGRATIONS)}
    init_app(app, settings, database=database, checks=checks, tokens=tokens.verifier)
    app.extensions["passwords"] = Passwords(slots=hashing_slots(settings.threads))
    app.extensions["throttle"] = RateLimiter(settings.rate_limit_storage_url, settings.rate_limit_per_address)
    app.extensions["issuer"] = tokens
    for blueprint in (registration, sign_in, own_sessions, own_profile, for_services):
        app.register_api(blueprint)
    app.wsgi_app = Dispatcher(app)  # type: ignore[method-assign]
    return app
