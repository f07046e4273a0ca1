"""Keep a session in the browser's cookies."""

from __future__ import annotations

from flask import Response

from chassis.pages.cookies import DEVICE, REFRESH, RENEWED, TOKEN
from user_service.services import Services
from user_service.sessions.actions import Opened

DEVICE_SECONDS = 30 * 86_400
_RENEWED_SECONDS = 5


def store_session(response: Response, services: Services, opened: Opened) -> str:
    """Store the tokens for as long as the session lasts unused; return the one that the refresh token renews."""
    seconds = services.settings.refresh_ttl_seconds
    token = services.issuer.signer.sign(opened.caller)
    TOKEN.set(response, services.settings, token, seconds)
    REFRESH.set(response, services.settings, opened.refresh_token, seconds)
    return token


def note_renewal(response: Response, services: Services) -> None:
    RENEWED.set(response, services.settings, "1", _RENEWED_SECONDS)


def forget_session(response: Response, services: Services) -> None:
    for cookie in (TOKEN, REFRESH):
        cookie.delete(response, services.settings)


def store_device(response: Response, services: Services, token: str) -> None:
    DEVICE.set(response, services.settings, token, DEVICE_SECONDS)
