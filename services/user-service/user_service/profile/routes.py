"""Routes of the caller's own profile."""

from __future__ import annotations

from chassis.context import Caller
from chassis.http.api import checks_session, signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response, no_content
from user_service.accounts.hashing import Busy
from user_service.accounts.rules import WeakPassword
from user_service.profile import limited, queries
from user_service.profile.rules import InvalidPhone, WrongPassword
from user_service.profile.schemas import DeletionBody, ExportOut, PasswordBody, ProfileChanges, ProfileOut
from user_service.services import Services

own_profile = signed_in("profile", __name__)


@own_profile.get("/profile", operation_id="show_profile", responses=responses({200: ProfileOut}, 401))
@checks_session
def show(services: Services, caller: Caller) -> JsonResponse:
    """Show the caller's profile."""
    return json_response(queries.read_profile(services.database, caller=caller))


@own_profile.patch(
    "/profile",
    operation_id="change_profile",
    responses=responses({200: ProfileOut}, 400, InvalidPhone, 401, WrongPassword, 413, 415, 429, Busy),
)
@checks_session
def change(services: Services, caller: Caller, body: ProfileChanges) -> JsonResponse:
    """Change the caller's profile; absent members stay, null clears. A new email address needs the password.

    It gets a mail that asks to confirm it. A confirmed address stays until then, and is told of the change.
    """
    return json_response(limited.change_profile(services, caller, body))


@own_profile.post(
    "/profile/password",
    responses=responses({204: None}, 400, WeakPassword, 401, WrongPassword, 413, 415, 429, Busy),
)
@checks_session
def change_password(services: Services, caller: Caller, body: PasswordBody) -> JsonResponse:
    """Set a new password; all other sessions end."""
    limited.change_password(services, caller, body)
    return no_content()


@own_profile.delete(
    "/profile",
    operation_id="delete_account",
    responses=responses({204: None}, 400, 401, WrongPassword, 413, 415, 429, Busy),
)
@checks_session
def delete(services: Services, caller: Caller, body: DeletionBody) -> JsonResponse:
    """Delete the account and the personal data; the username stays reserved."""
    limited.delete_account(services, caller, body)
    return no_content()


@own_profile.get("/profile/export", operation_id="export_account", responses=responses({200: ExportOut}, 401))
@checks_session
def export(services: Services, caller: Caller) -> JsonResponse:
    """Export all data about the caller."""
    return json_response(queries.export(services.database, caller=caller))
