"""Sessions: anybody may try to sign in; a signed-in caller may end theirs; services follow which have ended."""

from __future__ import annotations

from flask import Response, current_app, request

from chassis.auth.tokens import caller
from chassis.db.database import current_database
from chassis.http.api import public, responses, services_only, signed_in
from chassis.http.responses import JsonResponse, json_response
from chassis.rate_limit.limiter import limited
from chassis.rate_limit.policy import Rule
from user_service.accounts.rules import account_key
from user_service.sessions import actions, queries
from user_service.sessions.rules import InvalidCredentials, InvalidRefreshToken
from user_service.sessions.schemas import (
    FeedOut,
    FeedQuery,
    KeysOut,
    LiveSessionsOut,
    LoginBody,
    RefreshBody,
    SessionPath,
    TokensOut,
)
from user_service.sessions.signing import Issuer

sign_in = public("sign-in", __name__)
own_sessions = signed_in("sessions", __name__)
for_services = services_only("for services", __name__)

SIGNING_IN = Rule("login", failures=(InvalidCredentials,), trusts_clients=True)
# Nobody guesses 256 random bits: what is spared is only the look-up, and clients that race with one token are honest.
REFRESHING = Rule("refresh", failures=(InvalidRefreshToken,), free=20)
LONGEST_USER_AGENT = 200


@sign_in.post("/login", responses=responses({200: TokensOut}, 400, 401, 413, 415, 429))
def login(body: LoginBody) -> JsonResponse:
    """Sign in with username and password."""
    with limited(SIGNING_IN, account_key(body.username)):
        opened = actions.sign_in(
            current_database(),
            current_app.extensions["passwords"],
            **body.model_dump(),
            user_agent=_user_agent(),
            lifetime=_issuer().refresh_seconds,
        )
    return json_response(_tokens(opened))


@sign_in.post("/token/refresh", responses=responses({200: TokensOut}, 400, 401, 413, 415, 429))
def refresh(body: RefreshBody) -> JsonResponse:
    """Trade a refresh token for a new token and the next refresh token."""
    lifetime = _issuer().refresh_seconds
    with limited(REFRESHING, body.refresh_token):
        opened = actions.refresh(current_database(), refresh_token=body.refresh_token, lifetime=lifetime)
    return json_response(_tokens(opened))


@own_sessions.post("/logout", responses=responses({204: None}, 401))
def logout() -> Response:
    """End this session: its token and its refresh token are worth nothing from now on."""
    actions.sign_out(current_database(), caller=caller())
    return Response(status=204)


@own_sessions.get("/sessions", responses=responses({200: LiveSessionsOut}, 401))
def list_sessions() -> JsonResponse:
    """List the caller's sessions that go on, newest first."""
    return json_response(queries.list_sessions(current_database(), caller=caller()))


@own_sessions.delete("/sessions/<session_id>", responses=responses({204: None}, 400, 401, 404))
def end_session(path: SessionPath) -> Response:
    """End one of the caller's sessions."""
    actions.end_session(current_database(), caller=caller(), session_id=path.session_id)
    return Response(status=204)


@own_sessions.delete("/sessions", responses=responses({204: None}, 401))
def end_other_sessions() -> Response:
    """End all of the caller's sessions but this one."""
    actions.end_others(current_database(), caller=caller())
    return Response(status=204)


@sign_in.get("/.well-known/jwks.json", responses=responses({200: KeysOut}))
def keys() -> JsonResponse:
    """Publish the keys that verify our tokens."""
    answer = json_response(_issuer().jwks())
    answer.headers["Cache-Control"] = "public, max-age=60"
    return answer


@for_services.get("/ended-sessions", responses=responses({200: FeedOut}, 400, 401))
def ended_sessions(query: FeedQuery) -> JsonResponse:
    """Tell another service which sessions have ended, and which accounts are to be erased, since a version."""
    return json_response(queries.list_endings(current_database(), after=query.after, limit=query.limit))


def _issuer() -> Issuer:
    issuer: Issuer = current_app.extensions["issuer"]
    return issuer


def _tokens(opened: actions.Opened) -> dict[str, str | int]:
    issuer = _issuer()
    return {
        "token": issuer.signer.sign(opened.caller),
        "token_type": "Bearer",
        "expires_in": issuer.token_seconds,
        "refresh_token": opened.refresh_token,
    }


def _user_agent() -> str | None:
    """Return what the client says it is, fit to be stored and shown."""
    sent = request.user_agent.string[:LONGEST_USER_AGENT]
    return "".join(filter(str.isprintable, sent)) or None
