"""Serve public pages from memory to visitors without cookies of the shop; pass all other requests on."""

from __future__ import annotations

from collections.abc import Iterable
from threading import get_ident
from typing import Any
from urllib.parse import quote

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.test import run_wsgi_app

from chassis.context import Services
from chassis.http.dispatch import FLASK_RULE
from chassis.http.parsing import TRACKING, Environ, Request
from chassis.http.response_cache import ResponseCache, is_cached
from chassis.http.responses import STATUS_LINES, Rendered
from chassis.pages.responses import has_own_cookie

_ASCII = bytes(range(128))
_OK = 200


class NotKept(Exception):
    """The page is no success; it is shown to the visitor of the thread that rendered it alone."""

    def __init__(self, rendered: Rendered) -> None:
        self.rendered, self.thread = rendered, get_ident()


class PageCache:
    """WSGI middleware before Flask; views marked with `cached` are rendered once for all visitors without cookies."""

    def __init__(self, app: Flask, services: Services) -> None:
        self._flask = app.wsgi_app
        self._urls = app.url_map.bind("")
        self._cached = {endpoint for endpoint, view in app.view_functions.items() if is_cached(view)}
        self._services = services
        self._cache = ResponseCache(self._render)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not environ["QUERY_STRING"].isascii():  # Werkzeug reads it as UTF-8, whatever was sent
            environ["QUERY_STRING"] = quote(environ["QUERY_STRING"], safe=_ASCII, encoding="latin-1")
        if not self._is_cached(environ):
            return self._flask(environ, start_response)
        environ["QUERY_STRING"] = TRACKING.sub("", environ["QUERY_STRING"]).rstrip("&")
        try:
            rendered = self._cache.get(_key(environ), Request(environ, {}, self._services, None))
        except NotKept as failure:
            if failure.thread != get_ident():  # rendered in a batch, with the request id of another visitor
                return self._flask(environ, start_response)
            rendered = failure.rendered
        start_response(STATUS_LINES[rendered.status], rendered.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [rendered.body]

    def _is_cached(self, environ: Environ) -> bool:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or has_own_cookie(environ.get("HTTP_COOKIE", "")):
            return False
        try:
            rule, _ = self._urls.match(environ["PATH_INFO"], "GET", return_rule=True)
        except (HTTPException, RequestRedirect):
            return False
        environ[FLASK_RULE] = rule.rule
        return rule.endpoint in self._cached

    def _render(self, request: Request) -> Rendered:
        environ = {**request.environ, "REQUEST_METHOD": "GET"}
        parts, status_line, headers = run_wsgi_app(self._flask, environ, buffered=True)
        rendered = Rendered(int(status_line[:3]), list(headers), b"".join(parts), None)
        if rendered.status != _OK:
            raise NotKept(rendered)
        return rendered


def _key(environ: Environ) -> str:
    """Return host, path and query: with `make up`, links name the host."""
    # No host holds a line break, and no query; so different requests have different keys.
    return "\n".join((environ.get("HTTP_HOST", ""), environ["PATH_INFO"], environ["QUERY_STRING"]))
