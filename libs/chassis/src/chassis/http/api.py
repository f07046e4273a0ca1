"""The HTTP surface both services share: the OpenAPI app, blueprints that say who may enter, and shapes."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, NoReturn
from urllib.parse import urlsplit

import orjson
from flask import Response, request
from flask.wrappers import Request
from flask_openapi3 import APIBlueprint, Info, OpenAPI, Tag
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from werkzeug.routing import RequestRedirect

from chassis.auth.tokens import enter
from chassis.http.responses import JsonResponse, render
from chassis.problems import MEDIA_TYPE, InvalidRequest, UnsupportedMediaType, invalid
from chassis.service_client import require_service

LARGEST_BODY = 64 * 1024
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"  # PostgreSQL refuses NUL; the other control characters only ever come from mischief


class Shape(BaseModel):
    """A request body: exactly these members, of exactly these types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        # The framework asks for the schema on every request; it never changes.
        return super().model_json_schema(*args, **kwargs)


class Query(Shape):
    """A query string: exactly these parameters, each converted from its text."""

    model_config = ConfigDict(strict=False)


class Headers(Query):
    """The request headers that a route reads; clients send many others."""

    model_config = ConfigDict(extra="ignore")


class Path(Query):
    """The variable parts of a URL."""


class PageQuery(Query):
    """One page of a list: continue after the key that the `Link` header of the page before names."""

    limit: int = Field(default=100, ge=1, le=100, description="How many at most.")
    after: str | None = Field(default=None, max_length=200, description="Opaque: taken from the `Link` header.")


def line(longest: int, shortest: int = 0) -> StringConstraints:
    """Constrain a string to one line of text for people: trimmed, without control characters."""
    return StringConstraints(strip_whitespace=True, min_length=shortest, max_length=longest, pattern=PRINTABLE)


class ProblemOut(BaseModel):
    """RFC 9457 problem document; `error` is the short text, `code` is stable for programs."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    code: str
    error: str
    request_id: str


class JsonRequest(Request):
    """A request whose body is one JSON object, or a clear refusal."""

    max_content_length = LARGEST_BODY
    _NO_JSON: ClassVar[str] = "the body is not valid JSON"

    def get_json(self, *_: Any, **__: Any) -> Any:
        body = self.get_data()
        if not body:
            return {}
        if not self.is_json:
            raise UnsupportedMediaType
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as failure:
            raise InvalidRequest(f"{self._NO_JSON}: {failure.msg}", position=failure.pos) from failure
        if not isinstance(parsed, dict):
            raise InvalidRequest("the body must be a JSON object")
        return parsed


class Api(OpenAPI):
    request_class = JsonRequest

    def make_response(self, rv: Any) -> Response:
        if not isinstance(rv, JsonResponse):
            return super().make_response(rv)
        status, headers, body = render(rv, request.environ)
        return Response(body, status, headers, content_type="application/json")

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Redirect to the right spelling of a path on whatever host was meant: the Host header is the client's."""
        if isinstance(redirect := request.routing_exception, RequestRedirect):
            redirect.new_url = urlsplit(redirect.new_url)._replace(scheme="", netloc="").geturl()
        super().raise_routing_exception(request)


def api(service: str, title: str, version: str) -> Api:
    """Return the OpenAPI app of a service, with its documentation at /openapi."""
    return Api(
        service,
        info=Info(title=title, version=version),
        security_schemes={
            "bearer": {"type": "http", "scheme": "bearer"},
            "service": {"type": "http", "scheme": "bearer", "description": "The services' own credential."},
        },
        validation_error_status=400,
        validation_error_model=ProblemOut,
        validation_error_callback=_refuse,
        doc_url="/openapi.json",
    )


def _refuse(failure: ValidationError) -> Response:
    raise invalid(failure) from failure


def public(name: str, import_name: str) -> APIBlueprint:
    """Return a blueprint that anybody may enter."""
    return APIBlueprint(name, import_name, abp_tags=[Tag(name=name)])


def signed_in(name: str, import_name: str) -> APIBlueprint:
    """Return a blueprint that only callers with a valid token may enter, before anything of the request is parsed."""
    blueprint = APIBlueprint(name, import_name, abp_tags=[Tag(name=name)], abp_security=[{"bearer": []}])
    blueprint.before_request(enter)
    return blueprint


def services_only(name: str, import_name: str) -> APIBlueprint:
    """Return a blueprint that only other services of the shop may enter, by their own credential."""
    blueprint = APIBlueprint(name, import_name, abp_tags=[Tag(name=name)], abp_security=[{"service": []}])
    blueprint.before_request(require_service)
    return blueprint


def responses(success: ResponseDict, *problems: int) -> ResponseDict:
    """Describe a route's responses: what it returns, and the statuses it refuses with."""
    content = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}}
    # A dictionary for each: the framework writes into them.
    return {**{status: dict(content) for status in (*problems, 500, 503)}, **success}
