"""Refuse requests that change something and come from a page of another site."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

from flask import Response, request

from chassis.pages.cookies import PASSED_ON, TOKEN
from chassis.problems import Problem
from chassis.settings import Settings

READS = frozenset({"GET", "HEAD", "OPTIONS"})
_PASSING_SECONDS = 5


class ForgedRequest(Problem):
    status, code, error = 403, "forged_request", "this form was not sent from a page of the shop"


def refuse_forged(settings: Settings) -> None:
    """Raise ForgedRequest unless the request only reads, or its browser says that it comes from one of our pages.

    A browser sends Sec-Fetch-Site over https and to localhost; else the Origin must be ours. Without both, refuse.
    """
    if request.method in READS or _is_from_own_page(settings):
        return
    if settings.sibling_port is None or not _was_passed_on(settings):
        raise ForgedRequest


def _is_from_own_page(settings: Settings) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    return site == "same-origin" or (site is None and _is_own_origin(settings))


def _is_own_origin(settings: Settings) -> bool:
    scheme = "https" if settings.https else request.scheme  # a proxy ends https before us
    return bool(request.host) and request.headers.get("Origin") == f"{scheme}://{request.host}"


def pass_on(response: Response, settings: Settings, token: str) -> None:
    """Let the form of this request pass when the response leads it to the other service, on another port.

    There it comes from another origin of the same site, as a forged one would from any program of this machine. The
    mark is made of the visitor's token, which no page can read.
    """
    if settings.sibling_port and request.method not in READS:
        PASSED_ON.set(response, settings, _mark(token), _PASSING_SECONDS)


def _was_passed_on(settings: Settings) -> bool:
    mark, token = PASSED_ON.read(settings), TOKEN.read(settings)
    is_near = request.headers.get("Sec-Fetch-Site") in {None, "same-site"}
    return is_near and token is not None and compare_digest((mark or "").encode(), _mark(token).encode())


def _mark(token: str) -> str:
    return sha256(token.encode()).hexdigest()
