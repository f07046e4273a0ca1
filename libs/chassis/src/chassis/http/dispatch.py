"""The express lane: the busiest routes, answered without the framework when the request is a plain one.

What the framework does for a request costs three times what these routes cost themselves (docs/adr/0017). So a plain
request to one of them, with a token that was verified a moment ago, goes straight to the route's own function.
Whatever is unusual takes the ordinary road from its beginning, and whatever goes wrong is handed to the framework to
answer: this lane knows no refusal of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import unwrap
from io import BytesIO
from time import perf_counter
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import parse_qsl

import orjson
from flask import Flask, g, request
from pydantic import BaseModel, ValidationError
from werkzeug.routing import Rule

from chassis.auth.tokens import CachingVerifier, Caller, call_as, enter
from chassis.db.database import Database, use
from chassis.http.api import LARGEST_BODY
from chassis.http.cors import Cors
from chassis.http.responses import STATUS_LINES, JsonResponse, render
from chassis.http.security_headers import DOCUMENT
from chassis.telemetry.access_log import REQUEST_ID, Record, RequestRecord, begin_request
from chassis.telemetry.logging import current_request_id

Environ = dict[str, Any]
Asked = tuple[str, str]  # method and path
Read = Callable[[Environ, str], Any]
View = Callable[..., JsonResponse]
Gate = Callable[[], None]

FAILURE = "chassis.failure"
"""In a request's environ: a Failed, for the framework to answer."""


class Unusual(Exception):
    """The ordinary road knows what to do with this request."""


class Failed(NamedTuple):
    """What went wrong in the express lane, for whom, and when their request had arrived."""

    failure: Exception
    caller: Caller | None
    arrived: float


class Stop(NamedTuple):
    """A route of the express lane."""

    rule: str
    view: View
    readers: dict[str, Read]
    signed_in: bool
    gate: Gate


def express(view: View) -> View:
    """Mark a route's function as one that the express lane may call: it must not ask the framework for anything."""
    view.express = True  # type: ignore[attr-defined]
    return view


def guard(app: Flask, endpoints: Iterable[str], gate: Gate) -> None:
    """Have `gate` raise a Problem before these endpoints, whichever road a request takes to them."""
    app.extensions["gates"] = gates = dict.fromkeys(endpoints, gate)

    @app.before_request
    def check() -> None:
        gates.get(request.endpoint or "", _open)()


def _open() -> None:
    """Let everybody pass."""


class Dispatcher:
    """WSGI layer that answers plain requests to the marked routes."""

    def __init__(self, app: Flask) -> None:
        self._inner = app.wsgi_app
        self._tokens: CachingVerifier = app.extensions["tokens"]
        self._has_ended: Callable[[str], bool] = app.extensions["has_ended"]
        self._database: Database = app.extensions["database"]
        self._record: Record = app.extensions["record"]
        self._cors: Cors = app.extensions["cors"]
        self._exact, self._leading = _stops(app)
        app.before_request(_answer_failure)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        stop, tail = self._find(environ)
        answer = self._drive(stop, tail, environ, start_response) if stop else None
        return self._inner(environ, start_response) if answer is None else answer

    def _find(self, environ: Environ) -> tuple[Stop | None, str]:
        asked = method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if asked in self._exact:
            return self._exact[asked], ""
        head, _, tail = path.rpartition("/")
        return (self._leading.get((method, head)) if tail and tail.isascii() else None), tail

    def _drive(self, stop: Stop, tail: str, environ: Environ, start_response: Any) -> list[bytes] | None:
        """Answer the request, or leave it to the framework: None."""
        arrived, caller = begin_request(environ.get("HTTP_X_REQUEST_ID")), None
        try:
            caller = self._enter(stop, environ)
            answer = stop.view(**{name: read(environ, tail) for name, read in stop.readers.items()})
        except (Unusual, ValidationError):
            return None
        except Exception as failure:
            environ[FAILURE] = Failed(failure, caller, arrived)
            environ["HTTP_X_REQUEST_ID"] = current_request_id()
            return None
        status, headers, body = render(answer, environ)
        headers += [*DOCUMENT, *self._cors.headers(environ.get("HTTP_ORIGIN")), (REQUEST_ID, current_request_id())]
        start_response(STATUS_LINES[status], headers)
        asked = environ["REQUEST_METHOD"], stop.rule, environ["PATH_INFO"]
        self._record(RequestRecord(*asked, status, perf_counter() - arrived, caller and caller.user_id))
        return [body]

    def _enter(self, stop: Stop, environ: Environ) -> Caller | None:
        """Let the caller in as the framework's hooks would; none for a public route."""
        use(self._database)
        caller = call_as(self._known_caller(environ)) if stop.signed_in else None
        stop.gate()
        return caller

    def _known_caller(self, environ: Environ) -> Caller:
        scheme, token = environ.get("HTTP_AUTHORIZATION", "")[:7], environ.get("HTTP_AUTHORIZATION", "")[7:]
        known = self._tokens.recall(token) if scheme == "Bearer " else None
        if known is None or self._has_ended(known.session_id):
            raise Unusual
        return known


def _answer_failure() -> None:
    if failed := request.environ.get(FAILURE):
        g.arrived = failed.arrived
        call_as(failed.caller)
        raise failed.failure


def _stops(app: Flask) -> tuple[dict[Asked, Stop | None], dict[Asked, Stop]]:
    """Return what is at each method and path, and, where a path ends in a variable part, before that part."""
    exact: dict[Asked, Stop | None] = {}
    leading: dict[Asked, Stop] = {}
    for rule in app.url_map.iter_rules():
        marked, (head, _, variable) = hasattr(app.view_functions[rule.endpoint], "express"), rule.rule.rpartition("/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            if marked and rule.arguments:
                leading[method, head] = _stop(app, rule, variable.strip("<>"))
            elif not rule.arguments:
                exact[method, rule.rule] = _stop(app, rule) if marked else None
    return exact, leading


def _stop(app: Flask, rule: Rule, variable: str = "") -> Stop:
    function = unwrap(app.view_functions[rule.endpoint])
    shapes = {name: shape for name, shape in get_type_hints(function).items() if name != "return"}
    readers = {name: READERS[name](shape, variable) for name, shape in shapes.items()}
    hooks = app.before_request_funcs.get(rule.endpoint.rpartition(".")[0], [])
    if hooks not in ([], [enter]):
        raise ValueError(f"{rule.rule}: the express lane does not know {hooks}")
    return Stop(rule.rule, function, readers, enter in hooks, app.extensions.get("gates", {}).get(rule.endpoint, _open))


def _path(shape: type[BaseModel], variable: str) -> Read:
    return lambda _, tail: shape.model_validate({variable: tail})


def _query(shape: type[BaseModel], _: str) -> Read:
    return lambda environ, _: shape.model_validate(_parameters(environ["QUERY_STRING"]))


def _parameters(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True) if query else []
    parameters = dict(pairs)
    if "%" in query or len(parameters) < len(pairs):
        raise Unusual
    return parameters


def _header(shape: type[BaseModel], _: str) -> Read:
    names = [field.alias or name for name, field in shape.model_fields.items()]
    keys = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in names}
    return lambda environ, _: shape.model_validate({name: environ[key] for name, key in keys.items() if key in environ})


def _body(shape: type[BaseModel], _: str) -> Read:
    return lambda environ, _: shape.model_validate(_json(environ))


def _json(environ: Environ) -> Any:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ.get("CONTENT_TYPE") != "application/json" or not 0 < length <= LARGEST_BODY:
        raise Unusual
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = BytesIO(body)  # the ordinary road reads it again
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        raise Unusual from failure


READERS = {"path": _path, "query": _query, "header": _header, "body": _body}
