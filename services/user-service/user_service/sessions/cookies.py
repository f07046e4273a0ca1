"""Keep a session in the browser's cookies."""

from __future__ import annotations

import time
from contextlib import suppress

from flask import Response

from chassis.auth.tokens import ISSUED_LEEWAY_SECONDS
from chassis.pages.cookies import DEVICE, REFRESH, RENEWED, TOKEN
from chassis.problems import InvalidToken
from user_service.services import Services
from user_service.sessions import actions, limited
from user_service.sessions.actions import Opened
from user_service.sessions.rules import InvalidRefreshToken

DEVICE_SECONDS = 30 * 86_400
_RENEWED_SECONDS = 5


def store_session(response: Response, services: Services, opened: Opened) -> str:
    """Store the tokens for as long as the session lasts unused; return the one that the refresh token renews."""
    seconds = services.settings.refresh_ttl_seconds
    token = services.issuer.signer.sign(opened.caller)
    TOKEN.set(response, services.settings, token, seconds)
    REFRESH.set(response, services.settings, opened.refresh_token, seconds)
    return token


def replace_session(response: Response, services: Services, opened: Opened) -> None:
    """Store a new session, and end the one whose token the browser has."""
    with suppress(InvalidToken):  # there is none, or it has ended
        before, _ = services.tokens.read_signed(TOKEN.read(services.settings) or "")
        actions.sign_out(services.database, caller=before)
    store_session(response, services, opened)


def renew_session(response: Response, services: Services) -> str:
    """Renew the session that the token names, unless the token is still good; return the token; raise InvalidToken.

    Another host of the domain can set a refresh token, but no token: one of another session is not used.
    """
    token = TOKEN.read(services.settings) or ""
    caller, expires_at = services.tokens.read_signed(token)
    # Not until the last moment: the other service's clock may be ahead.
    if expires_at > time.time() + ISSUED_LEEWAY_SECONDS and not services.has_ended(caller.session_id):
        return token
    for presented in REFRESH.read_all(services.settings):
        with suppress(InvalidRefreshToken):
            return store_session(response, services, limited.refresh(services, presented, caller.session_id))
    raise InvalidRefreshToken


def note_renewal(response: Response, services: Services) -> None:
    RENEWED.set(response, services.settings, "1", _RENEWED_SECONDS)


def forget_session(response: Response, services: Services) -> None:
    for cookie in (TOKEN, REFRESH):
        cookie.delete(response, services.settings)


def store_device(response: Response, services: Services, token: str) -> None:
    DEVICE.set(response, services.settings, token, DEVICE_SECONDS)
