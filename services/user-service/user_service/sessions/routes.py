"""Routes of sessions: sign in, refresh, list, end; public keys; the feed of ended sessions."""

from __future__ import annotations

from chassis.context import Caller
from chassis.http.api import checks_session, public, services_only, signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response, no_content
from user_service.accounts.hashing import Busy
from user_service.services import Services
from user_service.sessions import actions, limited, queries
from user_service.sessions.rules import AccountDisabled, InvalidCredentials, InvalidRefreshToken, OtpRequired, OtpWrong
from user_service.sessions.schemas import (
    FeedOut,
    FeedQuery,
    KeysOut,
    LiveSessionsOut,
    LoginBody,
    RefreshBody,
    SessionPath,
    SignedInOut,
    TokensOut,
)
from user_service.sessions.signing import Issuer

sign_in = public("sign-in", __name__)
own_sessions = signed_in("sessions", __name__)
for_services = services_only("for services", __name__)


@sign_in.post(
    "/login",
    responses=responses(
        {200: SignedInOut}, 400, InvalidCredentials, OtpRequired, OtpWrong, AccountDisabled, 413, 415, 429, Busy
    ),
)
def login(services: Services, body: LoginBody) -> JsonResponse:
    """Sign in with username, or confirmed email address, and password, and a code if there is a second factor."""
    signed_in = limited.sign_in(services, body)
    return json_response(_tokens(services.issuer, signed_in.opened) | {"device_token": signed_in.device_token})


@sign_in.post(
    "/token/refresh",
    operation_id="refresh_session",
    responses=responses({200: TokensOut}, 400, InvalidRefreshToken, 413, 415, 429),
)
def refresh(services: Services, body: RefreshBody) -> JsonResponse:
    """Exchange a refresh token for a new token and a new refresh token."""
    return json_response(_tokens(services.issuer, limited.refresh(services, body.refresh_token)))


@own_sessions.post("/logout", responses=responses({204: None}, 401))
@checks_session
def logout(services: Services, caller: Caller) -> JsonResponse:
    """End this session; its token and its refresh token become invalid."""
    actions.sign_out(services.database, caller=caller)
    return no_content()


@own_sessions.get("/sessions", responses=responses({200: LiveSessionsOut}, 401))
@checks_session
def list_sessions(services: Services, caller: Caller) -> JsonResponse:
    """List the caller's live sessions, newest first."""
    return json_response(queries.list_sessions(services.database, caller=caller))


@own_sessions.delete("/sessions/<session_id>", responses=responses({204: None}, 400, 401, 404))
@checks_session
def end_session(services: Services, caller: Caller, path: SessionPath) -> JsonResponse:
    """End one of the caller's sessions."""
    actions.end_session(services.database, caller=caller, session_id=path.session_id)
    return no_content()


@own_sessions.delete("/sessions", responses=responses({204: None}, 401))
@checks_session
def end_other_sessions(services: Services, caller: Caller) -> JsonResponse:
    """End all of the caller's sessions except this one."""
    actions.end_others(services.database, caller=caller)
    return no_content()


@sign_in.get("/.well-known/jwks.json", operation_id="list_keys", responses=responses({200: KeysOut}))
def keys(services: Services) -> JsonResponse:
    """Publish the public keys that verify tokens."""
    response = json_response(services.issuer.jwks())
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


@for_services.get("/ended-sessions", operation_id="list_ended_sessions", responses=responses({200: FeedOut}, 400, 401))
def ended_sessions(services: Services, query: FeedQuery) -> JsonResponse:
    """List the ended sessions and erased accounts after a version, for the other services."""
    return json_response(queries.list_endings(services.database, after=query.after, limit=query.limit))


def _tokens(issuer: Issuer, opened: actions.Opened) -> dict[str, str | int]:
    return {
        "token": issuer.signer.sign(opened.caller),
        "token_type": "Bearer",
        "expires_in": issuer.token_seconds,
        "refresh_token": opened.refresh_token,
    }
