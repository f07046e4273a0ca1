"""Routes that confirm an address and reset a forgotten password."""

from __future__ import annotations

from chassis.context import Caller
from chassis.http.api import checks_session, public, signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response, no_content
from user_service.accounts.hashing import Busy
from user_service.accounts.rules import WeakPassword
from user_service.recovery import limited
from user_service.recovery.rules import EmailTaken, InvalidMailToken, NothingToConfirm
from user_service.recovery.schemas import AcceptedOut, ConfirmEmailBody, ForgottenBody, ResetBody
from user_service.services import Services

account_recovery = public("recovery", __name__)
own_address = signed_in("verification", __name__)


@own_address.post(
    "/email/verification",
    operation_id="send_verification",
    responses=responses({202: AcceptedOut}, 401, NothingToConfirm, 429),
)
@checks_session
def send_again(services: Services, caller: Caller) -> JsonResponse:
    """Send the mail again that asks to confirm the caller's address."""
    limited.send_again(services, caller)
    return json_response({"message": "a mail is on its way"}, status=202)


@account_recovery.post(
    "/email/verification/confirm",
    operation_id="confirm_email",
    responses=responses({204: None}, 400, InvalidMailToken, EmailTaken, 413, 415, 429),
)
def confirm(services: Services, body: ConfirmEmailBody) -> JsonResponse:
    """Confirm an email address with the code that was mailed to it."""
    limited.confirm(services, body)
    return no_content()


@account_recovery.post(
    "/password/forgotten", operation_id="forgot_password", responses=responses({202: AcceptedOut}, 400, 413, 415, 429)
)
def forgotten(services: Services, body: ForgottenBody) -> JsonResponse:
    """Mail a code for a new password to the account with this address; the answer is the same without one."""
    limited.note_forgotten(services, body)
    return json_response({"message": "if an account has this address, a mail is on its way"}, status=202)


@account_recovery.post(
    "/password/reset",
    operation_id="reset_password",
    responses=responses({204: None}, 400, InvalidMailToken, WeakPassword, 413, 415, 429, Busy),
)
def reset(services: Services, body: ResetBody) -> JsonResponse:
    """Set a new password with the code from the mail; all sessions end."""
    limited.reset_password(services, body)
    return no_content()
