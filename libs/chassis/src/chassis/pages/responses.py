"""Render templates to responses with the headers that pages need."""

from __future__ import annotations

from typing import Any, cast

from flask import Response, current_app, redirect, render_template, request

from chassis.http.security_headers import CSP
from chassis.pages.urls import sibling_origin
from chassis.settings import Settings

PUBLIC = "no-cache"
PRIVATE = "no-store"
_OWN_COOKIES = ("shop-", "__Host-", "__Secure-")


def page(template: str, status: int = 200, *, cache_control: str = PRIVATE, **variables: Any) -> Response:
    """Return the page; no cache keeps it, except with `cache_control` for a visitor without cookies of the shop."""
    if has_own_cookie(request.headers.get("Cookie", "")):
        cache_control = PRIVATE
    headers = {
        "Cache-Control": cache_control,
        "Content-Type": "text/html; charset=utf-8",
        "Referrer-Policy": "same-origin",  # with no-referrer, forms would have the Origin `null`
        "Vary": "Cookie",
        CSP: _policy(current_app.services.settings),  # type: ignore[attr-defined]
    }
    return Response(render_template(template, **variables), status, headers)


def has_own_cookie(cookies: str) -> bool:
    """Tell whether a Cookie header may hold cookies of the shop."""
    return any(name in cookies for name in _OWN_COOKIES)


def go_to(url: str, status: int = 303) -> Response:
    """Return a redirect; with 303 the browser asks for the page, with 307 it sends the same request there."""
    return cast("Response", redirect(url, status))


def download_json(document: str | bytes, name: str) -> Response:
    """Return a JSON document that the browser saves as a file of this name."""
    headers = {"Cache-Control": PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(document, headers=headers, content_type="application/json")


def _policy(settings: Settings) -> str:
    forms = f"'self' {sibling_origin()}" if settings.sibling_port else "'self'"  # a renewal redirects forms
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; connect-src 'self'; "
        f"form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )
