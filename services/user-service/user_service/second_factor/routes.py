"""Routes of the caller's second factor."""

from __future__ import annotations

from chassis.context import Caller
from chassis.http.api import checks_session, signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response, no_content
from user_service.accounts.hashing import Busy
from user_service.profile.rules import WrongPassword
from user_service.second_factor import limited, queries
from user_service.second_factor.rules import NotOffered, SecondFactorOff, SecondFactorOn, WrongCode
from user_service.second_factor.schemas import (
    BeginBody,
    ChangeBody,
    ConfirmBody,
    OfferOut,
    RecoveryCodesOut,
    SecondFactorOut,
)
from user_service.services import Services
from user_service.sessions.rules import ProofNeeded

second_factor = signed_in("second factor", __name__)


@second_factor.get(
    "/second-factor", operation_id="show_second_factor", responses=responses({200: SecondFactorOut}, 401)
)
@checks_session
def show(services: Services, caller: Caller) -> JsonResponse:
    """Show whether the second factor is on."""
    return json_response(queries.show_state(services.database, caller=caller))


@second_factor.post(
    "/second-factor",
    operation_id="begin_second_factor",
    responses=responses({200: OfferOut}, 400, 401, WrongPassword, ProofNeeded, SecondFactorOn, 413, 415, 429, Busy),
)
@checks_session
def begin(services: Services, caller: Caller, body: BeginBody) -> JsonResponse:
    """Give out a secret for an authenticator app; a code of the app then switches the second factor on."""
    return json_response(limited.offer(services, caller, body))


@second_factor.post(
    "/second-factor/confirm",
    operation_id="confirm_second_factor",
    responses=responses({200: RecoveryCodesOut}, 400, 401, WrongCode, NotOffered, SecondFactorOn, 413, 415, 429),
)
@checks_session
def confirm(services: Services, caller: Caller, body: ConfirmBody) -> JsonResponse:
    """Switch the second factor on; this session counts as one with a second factor from its next token on."""
    return json_response({"recovery_codes": limited.switch_on(services, caller, body)})


@second_factor.delete(
    "/second-factor",
    operation_id="remove_second_factor",
    responses=responses({204: None}, 400, 401, WrongPassword, WrongCode, SecondFactorOff, 413, 415, 429, Busy),
)
@checks_session
def switch_off(services: Services, caller: Caller, body: ChangeBody) -> JsonResponse:
    """Switch the second factor off and forget its recovery codes."""
    limited.switch_off(services, caller, body)
    return no_content()


@second_factor.post(
    "/second-factor/recovery-codes",
    operation_id="renew_recovery_codes",
    responses=responses(
        {200: RecoveryCodesOut}, 400, 401, WrongPassword, WrongCode, SecondFactorOff, 413, 415, 429, Busy
    ),
)
@checks_session
def renew_codes(services: Services, caller: Caller, body: ChangeBody) -> JsonResponse:
    """Replace all recovery codes by new ones."""
    return json_response({"recovery_codes": limited.renew_codes(services, caller, body)})
