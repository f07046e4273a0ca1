"""Build the table of JSON routes from the app's blueprints when the service starts.

An unsafe declaration, such as a blueprint without a guard, raises UnsafeRoute and stops the start.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import unwrap
from typing import Any, NamedTuple, NoReturn, get_type_hints

from flask_openapi3 import APIBlueprint
from pydantic import ValidationError
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Rule

from chassis.http.api import ANYBODY, Guard, GuardedBlueprint
from chassis.http.error_handlers import invalid
from chassis.http.openapi import Api
from chassis.http.parsing import PARSERS, Parser, Request
from chassis.http.response_cache import ResponseCache, is_cached
from chassis.http.responses import JsonResponse, Rendered, render


class UnsafeRoute(Exception):
    """A route is declared unsafely; the message says what to change."""


class Route(NamedTuple):
    """A JSON route; the results of `parsers` become the arguments of `view`."""

    rule: str
    view: Callable[..., JsonResponse]
    guard: Guard
    parsers: Mapping[str, Parser]
    checks_session: bool = False
    cache: ResponseCache | None = None

    def respond(self, request: Request) -> Rendered:
        """Return the response from the cache or the view; raise what the view raises."""
        return self.cache.get(request.environ["QUERY_STRING"], request) if self.cache else self.call(request)

    def call(self, request: Request) -> Rendered:
        try:
            arguments = {name: parse(request) for name, parse in self.parsers.items()}
        except ValidationError as failure:
            raise invalid(failure) from failure
        return render(self.view(**arguments), request.environ)


class RouteTable:
    """Find routes by method and path; `caches` lists their response caches."""

    def __init__(self, app: Api) -> None:
        routes = list(_routes(app))
        _refuse_duplicates((method, route.rule) for method, route in routes if method != "OPTIONS")
        self._exact = {(method, route.rule): route for method, route in routes if "<" not in route.rule}
        self._patterns = [(method, _pattern(route.rule), route) for method, route in routes if "<" in route.rule]
        self.caches = [route.cache for _, route in routes if route.cache]

    def match(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        """Return the route and the variable parts of the path; the route is None when no JSON route matches."""
        if path.startswith("//"):
            return _NOWHERE, {}
        if not method.isupper():
            return _WRONG_METHOD, {}
        if method == "HEAD":
            method = "GET"
        if route := self._exact.get((method, path)):
            return route, {}
        for route_method, pattern, route in self._patterns:
            if route_method == method and (match := pattern.fullmatch(path)):
                return route, match.groupdict()
        return None, {}


def _refuse_duplicates(declared: Iterable[tuple[str, str]]) -> None:
    for (method, rule), count in Counter(declared).items():
        if count > 1:
            raise UnsafeRoute(f"{method} {rule} is declared {count} times; one of them would never be called")


def _pattern(rule: str) -> re.Pattern[str]:
    """Translate a rule such as /orders/<order_id>; a variable matches one path segment."""
    return re.compile(re.sub(r"<(\w+)>", r"(?P<\1>[^/]+)", rule))


def _routes(app: Api) -> Iterator[tuple[str, Route]]:
    """Yield method and route of every JSON endpoint, OPTIONS included; stop Flask from calling its view."""
    methods: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints.get(rule.endpoint.rpartition(".")[0])
        if not isinstance(blueprint, APIBlueprint):
            continue
        if not isinstance(blueprint, GuardedBlueprint):
            raise UnsafeRoute(f"{rule.rule}: make its blueprint with public(), signed_in(), staff() or services_only()")
        route = _route(rule, unwrap(app.view_functions[rule.endpoint]), blueprint.guard)
        app.view_functions[rule.endpoint] = _never_by_flask
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, route
        methods.setdefault(rule.rule, set()).update(rule.methods or ())
        yield "OPTIONS", Route(rule.rule, _tell_methods(methods[rule.rule]), ANYBODY, {})


def _route(rule: Rule, view: Callable[..., JsonResponse], guard: Guard) -> Route:
    models = {name: hint for name, hint in get_type_hints(view).items() if name != "return"}
    if unknown := models.keys() - PARSERS:
        raise UnsafeRoute(f"{rule.rule}: a route cannot ask for {', '.join(sorted(unknown))}")
    if "caller" in models and not guard.has_caller:
        raise UnsafeRoute(f"{rule.rule}: asks for the caller, but its guard knows none; use signed_in()")
    if guard.authorize and getattr(view, "checks_session", False):
        raise UnsafeRoute(f"{rule.rule}: is for staff, whose session the dispatcher checks; remove @checks_session")
    if is_cached(view) and guard.has_caller:
        raise UnsafeRoute(f"{rule.rule}: its responses depend on the caller and must not be cached")
    parsers = {name: PARSERS[name](model) for name, model in models.items()}
    route = Route(rule.rule, view, guard, parsers, getattr(view, "checks_session", False))
    return route._replace(cache=ResponseCache(route.call)) if is_cached(view) else route


def _tell_methods(methods: set[str]) -> Callable[[], JsonResponse]:
    return lambda: JsonResponse(b"", headers={"Allow": ", ".join(sorted(methods))})


def _not_found() -> NoReturn:
    raise NotFound


def _method_not_allowed() -> NoReturn:
    raise MethodNotAllowed


# Flask would serve //metrics as /metrics, which the rules of a proxy may refuse to strangers.
_NOWHERE = Route("(none)", _not_found, ANYBODY, {})
# Methods are case-sensitive, but Flask would serve `get` as GET.
_WRONG_METHOD = Route("(none)", _method_not_allowed, ANYBODY, {})


def _never_by_flask(**_variables: Any) -> NoReturn:
    raise AssertionError("a JSON route was called past its dispatcher")
