"""Serve every JSON route as the WSGI entry; pass all other requests to Flask.

For a JSON route: match it, authenticate the caller, parse what the route function declares, call the function, and
write its response or its Problem. Flask serves HTML pages, probes and unknown URLs. All responses get their headers
and their access line here.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

from chassis.context import RequestContext, Services
from chassis.http.cors import Cors
from chassis.http.error_handlers import to_problem
from chassis.http.openapi import Api
from chassis.http.parsing import TRACKING, Environ, Request
from chassis.http.responses import STATUS_LINES, Rendered, problem_response, render, unless_known
from chassis.http.routes import Route, RouteTable
from chassis.http.security_headers import security_headers
from chassis.problems import InvalidToken
from chassis.telemetry.access_log import REQUEST_ID, AccessLog, RequestRecord, begin_request

READS = frozenset({"GET", "HEAD", "OPTIONS"})
FLASK_RULE = "chassis.rule"
"""In the environ: the rule that Flask matched."""


class Dispatcher:
    """WSGI application of a service; `app` is the Flask app behind it."""

    def __init__(self, app: Api, services: Services, access_log: AccessLog) -> None:
        self._flask = app.wsgi_app
        self._services = services
        self._access_log = access_log
        self._cors = Cors(services.settings.cors_origins)
        self._routes = RouteTable(app)
        self._env = services.settings.app_env

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        started, context = perf_counter(), begin_request(environ)
        method, path = environ["REQUEST_METHOD"], _path(environ)
        route, variables = self._routes.match(method, path)

        def start(status_line: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            """Start the response with the common headers and record the request."""
            rule = route.rule if route else environ.get(FLASK_RULE, "(none)")
            cors = self._cors.headers(environ.get("HTTP_ORIGIN"))
            complete = [*headers, *security_headers(headers, self._env), *cors]
            complete += [*context.response_headers, (REQUEST_ID, context.request_id)]
            record = RequestRecord(method, rule, path, int(status_line[:3]), perf_counter() - started)
            self._access_log.record(record, context)
            return start_response(status_line, complete, *exc_info)

        if preflight := self._cors.preflight(environ):
            start("204 NO CONTENT", preflight)
            return []
        if route is None:
            return self._flask(environ, start)
        rendered = unless_known(self._respond(route, environ, variables, context), environ.get("HTTP_IF_NONE_MATCH"))
        start(STATUS_LINES[rendered.status], rendered.headers)
        return [] if method == "HEAD" else [rendered.body]

    def _respond(self, route: Route, environ: Environ, variables: dict[str, str], context: RequestContext) -> Rendered:
        """Return the response, or the Problem document of any exception."""
        if query := environ["QUERY_STRING"]:
            environ["QUERY_STRING"] = TRACKING.sub("", query)
        try:
            caller = context.caller = route.guard.authenticate(self._services, environ.get("HTTP_AUTHORIZATION", ""))
            if caller and not route.checks_session and self._services.has_ended(caller.session_id):
                raise InvalidToken  # noqa: TRY301 - answered as every other refusal
            if caller and route.guard.authorize:
                route.guard.authorize(self._services, caller)
            rendered = route.respond(Request(environ, variables, self._services, context.caller))
        except Exception as failure:
            rendered = render(problem_response(to_problem(failure)), environ)
        if environ["REQUEST_METHOD"] not in READS:
            self.clear_caches()
        return rendered

    def clear_caches(self) -> None:
        """Clear all response caches after a request that may have written."""
        for cache in self._routes.caches:
            cache.clear()


def _path(environ: Environ) -> str:
    """Return the path decoded as Flask does: UTF-8, with a leading slash."""
    path: str = environ["PATH_INFO"]
    if not path.isascii():
        path = path.encode("latin-1").decode(errors="replace")
    return path if path.startswith("/") else f"/{path}"
