"""Routes of sessions: sign in, refresh, list, end; public keys; the feed of ended sessions."""

from __future__ import annotations

from chassis.context import Caller, current_context
from chassis.http.api import checks_session, public, services_only, signed_in
from chassis.http.openapi import responses
from chassis.http.responses import JsonResponse, json_response, no_content
from chassis.rate_limit.limiter import client_network
from chassis.rate_limit.policy import Rule
from user_service.accounts.hashing import Busy
from user_service.accounts.rules import account_key
from user_service.services import Services
from user_service.sessions import actions, queries
from user_service.sessions.refresh_tokens import Client
from user_service.sessions.rules import InvalidCredentials, InvalidRefreshToken
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

SIGNING_IN = Rule("login", failures=(InvalidCredentials,), limits_address=True)
REFRESHING = Rule("refresh")  # nobody guesses a refresh token, and a count for each would let anybody fill the storage
LONGEST_USER_AGENT = 200


@sign_in.post("/login", responses=responses({200: SignedInOut}, 400, InvalidCredentials, 413, 415, 429, Busy))
def login(services: Services, body: LoginBody) -> JsonResponse:
    """Sign in with username and password."""
    account = account_key(body.username)
    device = services.devices.recognise(account, body.device_token)
    with services.rate_limiter.attempt(SIGNING_IN, account, device):
        opened = actions.sign_in(
            services.database,
            services.passwords,
            username=body.username,
            password=body.password,
            user_agent=_user_agent(),
            lifetime=services.issuer.session,
        )
    device_token = services.devices.issue(account, device)
    return json_response(_tokens(services.issuer, opened) | {"device_token": device_token})


@sign_in.post(
    "/token/refresh",
    operation_id="refresh_session",
    responses=responses({200: TokensOut}, 400, InvalidRefreshToken, 413, 415, 429),
)
def refresh(services: Services, body: RefreshBody) -> JsonResponse:
    """Exchange a refresh token for a new token and a new refresh token."""
    with services.rate_limiter.attempt(REFRESHING):
        opened = actions.refresh(
            services.database,
            refresh_token=body.refresh_token,
            client=_client(),
            lifetime=services.issuer.session,
        )
    return json_response(_tokens(services.issuer, opened))


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


def _user_agent() -> str | None:
    """Return the User-Agent header, shortened and without unprintable characters."""
    sent = current_context().user_agent[:LONGEST_USER_AGENT]
    return "".join(filter(str.isprintable, sent)) or None


def _client() -> Client:
    context = current_context()
    return Client(context.user_agent, client_network(context.client_address))
