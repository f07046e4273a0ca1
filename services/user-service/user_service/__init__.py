"""Registration, sign-in, profiles and signed tokens."""

from __future__ import annotations

from pathlib import Path

from chassis.app import init_app, open_database
from chassis.http.openapi import Api, api
from chassis.server.health import schema_check
from user_service.accounts.routes import registration
from user_service.audit.pages import audit_pages
from user_service.audit.routes import audit
from user_service.customers.pages import customer_pages
from user_service.customers.routes import customers
from user_service.passkeys.pages import passkey_pages, passkey_sign_in
from user_service.profile.pages import profile_pages
from user_service.profile.routes import own_profile
from user_service.recovery.pages import confirmation_pages, recovery_pages
from user_service.recovery.routes import account_recovery, own_address
from user_service.second_factor.pages import second_factor_pages
from user_service.second_factor.routes import second_factor
from user_service.services import connect
from user_service.sessions.pages import device_pages, session_pages
from user_service.sessions.routes import for_services, own_sessions, sign_in
from user_service.sessions.sign_up_pages import sign_up_pages
from user_service.settings import Settings

API = (
    registration, sign_in, account_recovery, own_sessions, own_profile, own_address, for_services, second_factor,
    customers, audit,
)  # fmt: skip
PAGES = (
    session_pages, sign_up_pages, device_pages, recovery_pages, confirmation_pages, profile_pages, passkey_pages,
    passkey_sign_in, second_factor_pages, customer_pages, audit_pages,
)  # fmt: skip
MIGRATIONS = Path(__file__).parent.parent / "migrations"


def create_app(settings: Settings) -> Api:
    """Return the service."""
    app = api("user-service", title="User service", version="1.0.0", port=5001)
    for blueprint in API:
        app.register_api(blueprint)
    for pages in PAGES:
        app.register_blueprint(pages)
    database = open_database(settings)
    checks = {"database": schema_check(database, MIGRATIONS)}
    init_app(app, connect(settings, database), prefix="/account", checks=checks)
    return app
