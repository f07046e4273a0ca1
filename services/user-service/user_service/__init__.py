"""Registration, sign-in, profiles and signed tokens."""

from __future__ import annotations

from pathlib import Path

from chassis.app import init_app, open_database
from chassis.http.openapi import Api, api
from chassis.server.health import schema_check
from user_service.accounts.routes import registration
from user_service.profile.routes import own_profile
from user_service.services import connect
from user_service.sessions.routes import for_services, own_sessions, sign_in
from user_service.settings import Settings

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def create_app(settings: Settings) -> Api:
    """Return the service."""
    app = api("user-service", title="User service", version="1.0.0", port=5001)
    for blueprint in (registration, sign_in, own_sessions, own_profile, for_services):
        app.register_api(blueprint)
    database = open_database(settings)
    init_app(app, connect(settings, database), checks={"database": schema_check(database, MIGRATIONS)})
    return app
