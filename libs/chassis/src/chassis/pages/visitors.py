"""Tell who asks for a page, from the token's cookie; lead visitors to sign in where a page needs it."""

from __future__ import annotations

from typing import cast

from flask import Response, current_app, g, request

from chassis.context import Caller, Services, current_context
from chassis.pages.cookies import ACCOUNT_PATH, RENEWED, TOKEN
from chassis.pages.errors import show
from chassis.pages.forgery import pass_on
from chassis.pages.responses import go_to
from chassis.pages.urls import current_path, with_next
from chassis.problems import InvalidToken, Unauthenticated, Unavailable

RENEW, SIGN_IN = f"{ACCOUNT_PATH}/renew", f"{ACCOUNT_PATH}/sign-in"


class SignInUnavailable(Unavailable):
    code, error = "sign_in_unavailable", "signing in is not possible at the moment; your basket is kept"


def seems_signed_in() -> bool:
    """Tell whether the visitor has a token, valid or not: enough for a link to the account."""
    return bool(TOKEN.read(_services().settings))


def require_caller() -> None:
    """Set the caller of this request; raise Unauthenticated or InvalidToken."""
    services = _services()
    token = TOKEN.read(services.settings)
    if not token:
        raise Unauthenticated
    caller = services.tokens.caller(token)
    view = current_app.view_functions[request.endpoint or ""]
    if not getattr(view, "checks_session", False) and services.has_ended(caller.session_id):
        raise InvalidToken
    g.caller = current_context().caller = caller


def caller() -> Caller:
    return cast("Caller", g.caller)


def to_sign_in(_refused: Unauthenticated) -> Response:
    """Redirect to the page that renews the token, or to the one that asks for the password; both lead back here.

    Renewing keeps the method and the body, so that a form arrives although its token has expired.
    """
    services = _services()
    if not services.sign_in_available():
        return show(SignInUnavailable())
    token = TOKEN.read(services.settings)
    if not token:
        return go_to(with_next(SIGN_IN, current_path()))
    if RENEWED.read(services.settings):
        return show(SignInUnavailable())  # our clock and the issuer's differ; asking again would never end
    response = go_to(with_next(RENEW, current_path()), 307)
    pass_on(response, services.settings, token)
    return response


def _services() -> Services:
    return cast("Services", current_app.services)  # type: ignore[attr-defined]
