"""Refuse requests that change something and come from a page of another site."""

from __future__ import annotations

import hmac
import json
from urllib.parse import unquote, urlsplit

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
    mark is made with the credential that both services share, for the visitor's token and this one request.
    """
    if settings.sibling_port and request.method not in READS:
        url = urlsplit(response.location or "")
        mark = _mark(settings.service_credential[0], token, unquote(url.path), url.query)
        PASSED_ON.set(response, settings, mark, _PASSING_SECONDS)


def _was_passed_on(settings: Settings) -> bool:
    mark, token = PASSED_ON.read(settings), TOKEN.read(settings)
    if not mark or not token or request.headers.get("Sec-Fetch-Site") not in {None, "same-site"}:
        return False
    query = request.query_string.decode(errors="replace")
    expected = [_mark(credential, token, request.path, query) for credential in settings.service_credential]
    return any(hmac.compare_digest(mark.encode(), each.encode()) for each in expected)


def _mark(credential: str, token: str, path: str, query: str) -> str:
    query = unquote(query)  # the browser may quote more of it than we did
    passed = json.dumps(["passed-on", token, request.method, path, query])
    return hmac.digest(credential.encode(), passed.encode(), "sha256").hex()
