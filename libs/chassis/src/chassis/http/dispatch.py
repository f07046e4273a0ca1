"""The app's WSGI entry: it answers every JSON route itself and leaves everything else to Flask.

A JSON route is matched, its guard authenticates the caller, the parts that its function declares are parsed, and
the function is called; its response, or the Problem that it raised, is written here. Flask answers the pages, the
probes, OPTIONS, and the URLs that do not exist. Both get their headers and their access line here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from inspect import unwrap
from time import perf_counter
from typing import Any, NamedTuple, NoReturn, get_type_hints

from flask_openapi3 import APIBlueprint
from pydantic import ValidationError
from werkzeug.routing import Rule

from chassis.context import RequestContext, Services
from chassis.http.api import Guard, GuardedBlueprint
from chassis.http.cors import Cors
from chassis.http.error_handlers import invalid, to_problem
from chassis.http.openapi import Api
from chassis.http.parsing import PARSERS, Environ, Parser, Variables
from chassis.http.response_cache import ResponseCache, is_cached
from chassis.http.responses import STATUS_LINES, JsonResponse, Rendered, problem_response, render, unless_known
from chassis.http.security_headers import security_headers
from chassis.telemetry.access_log import REQUEST_ID, AccessLog, RequestRecord, begin_request

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class UnsafeRoute(Exception):
    """A route that must not be served as it is declared; the service does not start."""


class Route(NamedTuple):
    """A JSON route."""

    rule: str
    view: Callable[..., JsonResponse]
    guard: Guard
    parsers: dict[str, Parser]
    wants_services: bool
    wants_caller: bool
    cache: ResponseCache | None


class Dispatcher:
    """WSGI application of a service; `app` is the Flask app behind it."""

    def __init__(self, app: Api, services: Services, access_log: AccessLog) -> None:
        self._flask = app.wsgi_app
        self._services = services
        self._access_log = access_log
        self._cors = Cors(services.settings.cors_origins)
        routes = list(_routes(app))
        self._exact = {(method, route.rule): route for method, route in routes if "<" not in route.rule}
        self._patterns = [(method, _pattern(route.rule), route) for method, route in routes if "<" in route.rule]
        self._caches = [route.cache for _, route in routes if route.cache]

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        started, context = perf_counter(), begin_request(environ)
        method, path = environ["REQUEST_METHOD"], _path(environ)
        route, variables = self._match("GET" if method == "HEAD" else method, path)

        def finish(status_line: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            rule = route.rule if route else environ.get("chassis.route", "(none)")
            record = RequestRecord(method, rule, path, int(status_line[:3]), perf_counter() - started)
            written = start_response(status_line, self._complete(headers, environ, context), *exc_info)
            self._access_log.record(record, context)
            return written

        if route is None:
            if preflight := self._cors.preflight(environ):
                finish("204 NO CONTENT", preflight)
                return []
            return self._flask(environ, finish)
        rendered = unless_known(self._respond(route, environ, variables, context), environ.get("HTTP_IF_NONE_MATCH"))
        finish(STATUS_LINES[rendered.status], rendered.headers)
        return [] if method == "HEAD" else [rendered.body]

    def _match(self, method: str, path: str) -> tuple[Route | None, Variables]:
        if route := self._exact.get((method, path)):
            return route, {}
        for route_method, pattern, route in self._patterns:
            if route_method == method and (match := pattern.fullmatch(path)) and (method, path) not in self._exact:
                return route, match.groupdict()
        return None, {}

    def _respond(self, route: Route, environ: Environ, variables: Variables, context: RequestContext) -> Rendered:
        """Return the response to the request, whatever happens on the way."""
        try:
            context.caller = route.guard.authenticate(self._services, environ.get("HTTP_AUTHORIZATION", ""))
            route.guard.require(self._services)
            if route.cache:
                return route.cache.get(environ, lambda request: self._call(route, request, variables, context))
            rendered = self._call(route, environ, variables, context)
        except Exception as failure:
            rendered = render(problem_response(to_problem(failure)), environ)
        if environ["REQUEST_METHOD"] not in READS:
            self.clear_caches()
        return rendered

    def clear_caches(self) -> None:
        """Forget the cached responses, because something may have changed."""
        for cache in self._caches:
            cache.clear()

    def _call(self, route: Route, environ: Environ, variables: Variables, context: RequestContext) -> Rendered:
        try:
            arguments: dict[str, Any] = {name: parse(environ, variables) for name, parse in route.parsers.items()}
        except ValidationError as failure:
            raise invalid(failure) from failure
        if route.wants_services:
            arguments["services"] = self._services
        if route.wants_caller:
            arguments["caller"] = context.caller
        return render(route.view(**arguments), environ)

    def _complete(self, headers: list[tuple[str, str]], environ: Environ, context: RequestContext) -> Any:
        """Add the headers that every response carries."""
        return [
            *headers,
            *security_headers(headers),
            *self._cors.headers(environ.get("HTTP_ORIGIN")),
            *context.response_headers,
            (REQUEST_ID, context.request_id),
        ]


def _path(environ: Environ) -> str:
    """Return the path as Flask reads it: UTF-8, without repeated slashes in front."""
    path: str = environ["PATH_INFO"]
    if not path.isascii():
        path = path.encode("latin-1").decode(errors="replace")
    return "/" + path.lstrip("/")


def _pattern(rule: str) -> re.Pattern[str]:
    """Translate a rule such as /orders/<order_id>: a variable is one part of the path."""
    return re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", rule))


def _routes(app: Api) -> Iterator[tuple[str, Route]]:
    """Yield the method and the route of every JSON endpoint, and take the endpoint's view away from Flask."""
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
        if not isinstance(blueprint, APIBlueprint):
            continue
        if not isinstance(blueprint, GuardedBlueprint):
            raise UnsafeRoute(f"{rule.rule}: make its blueprint with public(), signed_in() or services_only()")
        route = _route(rule, unwrap(app.view_functions[rule.endpoint]), blueprint.guard)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, route
    for rule in app.url_map.iter_rules():
        if isinstance(app.blueprints.get(rule.endpoint.rpartition(".")[0]), GuardedBlueprint):
            app.view_functions[rule.endpoint] = _never_by_flask


def _route(rule: Rule, view: Callable[..., JsonResponse], guard: Guard) -> Route:
    hints = {name: hint for name, hint in get_type_hints(view).items() if name != "return"}
    wants_services, wants_caller = bool(hints.pop("services", None)), bool(hints.pop("caller", None))
    if unknown := hints.keys() - PARSERS:
        raise UnsafeRoute(f"{rule.rule}: a route cannot ask for {', '.join(sorted(unknown))}")
    if wants_caller and not guard.has_caller:
        raise UnsafeRoute(f"{rule.rule}: asks for the caller, but its guard knows none; use signed_in()")
    if is_cached(view) and guard.has_caller:
        raise UnsafeRoute(f"{rule.rule}: its responses depend on the caller and must not be cached")
    parsers = {name: PARSERS[name](hint) for name, hint in hints.items()}
    cache = ResponseCache() if is_cached(view) else None
    return Route(rule.rule, view, guard, parsers, wants_services, wants_caller, cache)


def _never_by_flask(**_variables: str) -> NoReturn:
    raise AssertionError("a JSON route was called past its dispatcher")
