"""Refuse requests that change something and come from a page of another site."""

from __future__ import annotations

from flask import request

from chassis.problems import Problem
from chassis.settings import Settings

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class ForgedRequest(Problem):
    status, code, error = 403, "forged_request", "this form was not sent from a page of the shop"


def refuse_forged(settings: Settings) -> None:
    """Raise ForgedRequest unless the request only reads, or its browser says that it comes from one of our pages.

    A browser sends Sec-Fetch-Site over https and to localhost; else the Origin must be ours. Without both, refuse.
    """
    if request.method in READS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    # With `make up`, a renewal leads a form over the other service's port, which is another origin of the same site.
    trusted = {"same-origin", "same-site"} if settings.sibling_port else {"same-origin"}
    if site in trusted or (site is None and _is_own_origin(settings)):
        return
    raise ForgedRequest


def _is_own_origin(settings: Settings) -> bool:
    scheme = "https" if settings.https else request.scheme  # a proxy ends https before us
    return bool(request.host) and request.headers.get("Origin") == f"{scheme}://{request.host}"
