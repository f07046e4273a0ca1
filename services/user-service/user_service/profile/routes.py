"""Routes of the caller's own profile."""

from __future__ import annotations

from chassis.context import Caller
from chassis.http.api import checks_session, signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response, no_content
from chassis.rate_limit.policy import Rule
from user_service.accounts.hashing import Busy
from user_service.accounts.rules import EmailTaken, WeakPassword
from user_service.profile import actions, queries
from user_service.profile.rules import InvalidPhone, WrongPassword
from user_service.profile.schemas import DeletionBody, ExportOut, PasswordBody, ProfileChanges, ProfileOut
from user_service.services import Services

own_profile = signed_in("profile", __name__)

# Counted by session: a thief of a token must not lock out the owner, who can sign in again.
CONFIRMING = Rule("password", failures=(WrongPassword,))
# Counted by user, because new sessions are free: a change tells which addresses are taken.
CHANGING_EMAIL = Rule("email", failures=(EmailTaken,), limits_address=True, few=True)


@own_profile.get("/profile", operation_id="show_profile", responses=responses({200: ProfileOut}, 401))
@checks_session
def show(services: Services, caller: Caller) -> JsonResponse:
    """Show the caller's profile."""
    return json_response(queries.read_profile(services.database, caller=caller))


@own_profile.patch(
    "/profile",
    operation_id="change_profile",
    responses=responses({200: ProfileOut}, 400, InvalidPhone, 401, WrongPassword, EmailTaken, 413, 415, 429, Busy),
)
@checks_session
def change(services: Services, caller: Caller, body: ProfileChanges) -> JsonResponse:
    """Change the caller's profile; absent members stay, null clears. A new email address needs the password."""
    changes = body.model_dump(exclude_unset=True, exclude={"current_password"})
    if body.current_password is None:
        return json_response(actions.change_profile(services.database, caller=caller, changes=changes))
    with services.rate_limiter.attempt(CONFIRMING, caller.session_id):
        actions.confirm(services.database, services.passwords, caller=caller, password=body.current_password)
    with services.rate_limiter.attempt(CHANGING_EMAIL, caller.user_id):
        return json_response(actions.change_profile(services.database, caller=caller, changes=changes))


@own_profile.post(
    "/profile/password",
    responses=responses({204: None}, 400, WeakPassword, 401, WrongPassword, 413, 415, 429, Busy),
)
@checks_session
def change_password(services: Services, caller: Caller, body: PasswordBody) -> JsonResponse:
    """Set a new password; all other sessions end."""
    with services.rate_limiter.attempt(CONFIRMING, caller.session_id):
        actions.change_password(
            services.database, services.passwords, caller=caller, current=body.current_password, new=body.new_password
        )
    return no_content()


@own_profile.delete(
    "/profile",
    operation_id="delete_account",
    responses=responses({204: None}, 400, 401, WrongPassword, 413, 415, 429, Busy),
)
@checks_session
def delete(services: Services, caller: Caller, body: DeletionBody) -> JsonResponse:
    """Delete the account and the personal data; the username stays reserved."""
    with services.rate_limiter.attempt(CONFIRMING, caller.session_id):
        actions.delete_account(services.database, services.passwords, caller=caller, password=body.password)
    return no_content()


@own_profile.get("/profile/export", operation_id="export_account", responses=responses({200: ExportOut}, 401))
@checks_session
def export(services: Services, caller: Caller) -> JsonResponse:
    """Export all data about the caller."""
    return json_response(queries.export(services.database, caller=caller))
