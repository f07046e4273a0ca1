"""The profile: only signed-in callers may enter, and each finds only their own."""

from __future__ import annotations

from flask import Response, current_app

from chassis.auth.tokens import caller
from chassis.db.database import current_database
from chassis.http.api import responses, signed_in
from chassis.http.dispatch import express
from chassis.http.responses import JsonResponse, json_response
from chassis.rate_limit.limiter import limited
from chassis.rate_limit.policy import Rule
from user_service.profile import actions, queries
from user_service.profile.rules import WrongPassword
from user_service.profile.schemas import DeletionBody, ExportOut, PasswordBody, ProfileChanges, ProfileOut

own_profile = signed_in("profile", __name__)

CONFIRMING = Rule("password", failures=(WrongPassword,))


@own_profile.get("/profile", responses=responses({200: ProfileOut}, 401))
@express
def show() -> JsonResponse:
    """Show the caller's profile."""
    return json_response(queries.read_profile(current_database(), caller=caller()))


@own_profile.patch("/profile", responses=responses({200: ProfileOut}, 400, 401, 409, 413, 415))
def change(body: ProfileChanges) -> JsonResponse:
    """Change the caller's profile; what is absent stays, null clears."""
    changes = body.model_dump(exclude_unset=True)
    return json_response(actions.change_profile(current_database(), caller=caller(), changes=changes))


@own_profile.post("/profile/password", responses=responses({204: None}, 400, 401, 403, 413, 415, 429))
def change_password(body: PasswordBody) -> Response:
    """Set a new password; all other sessions end."""
    passwords = current_app.extensions["passwords"]
    with limited(CONFIRMING, caller().user_id):
        actions.change_password(
            current_database(), passwords, caller=caller(), current=body.current_password, new=body.new_password
        )
    return Response(status=204)


@own_profile.delete("/profile", responses=responses({204: None}, 400, 401, 403, 413, 415, 429))
def delete(body: DeletionBody) -> Response:
    """Delete the account and the personal data; the username stays reserved."""
    passwords = current_app.extensions["passwords"]
    with limited(CONFIRMING, caller().user_id):
        actions.delete_account(current_database(), passwords, caller=caller(), password=body.password)
    return Response(status=204)


@own_profile.get("/profile/export", responses=responses({200: ExportOut}, 401))
def export() -> JsonResponse:
    """Export all that is held on the caller."""
    return json_response(queries.export(current_database(), caller=caller()))
