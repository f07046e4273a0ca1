"""Create a service's app with its OpenAPI document and describe the responses of routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import chain
from typing import Any, NoReturn
from urllib.parse import urlsplit

from flask.wrappers import Request
from flask_openapi3 import Info, License, OpenAPI, Server
from flask_openapi3.models.schema import Schema
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.routing import RequestRedirect

from chassis.context import Services
from chassis.http.openapi_document import RATE_LIMIT, SCHEMA, complete, headers_of
from chassis.problems import (
    MEDIA_TYPE,
    BodyTooLarge,
    Conflict,
    InvalidRequest,
    InvalidToken,
    NotFound,
    Problem,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

USUAL: dict[int, tuple[type[Problem], ...]] = {
    400: (InvalidRequest,),
    401: (Unauthenticated, InvalidToken),
    404: (NotFound,),
    409: (Conflict,),
    413: (BodyTooLarge,),
    415: (UnsupportedMediaType,),
    429: (TooManyRequests,),
    500: (Problem,),
    503: (Unavailable,),
}
"""The problems that a number stands for."""
BEFORE_ATTEMPT = {InvalidRequest, BodyTooLarge, UnsupportedMediaType}
"""Problems of a body that is refused before the rate limiter counts the attempt."""


class FaultOut(BaseModel):
    """What is wrong with one member of a request."""

    member: str = Field(description="Such as `items.0.qty`; empty for the body as a whole.")
    code: str
    message: str


class ProblemOut(BaseModel):
    """RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(description="`urn:b2c:problem:` and the code.")
    title: str = Field(description="The name of the status.")
    status: int
    code: str = Field(description="Stable: for programs.")
    error: str = Field(description="Short text for people.")
    request_id: str = Field(description="Also in the log and in the header `X-Request-ID`.")
    detail: str = Field(default="", description="More for people.")
    errors: list[FaultOut] = Field(default=[], description="With `invalid_request`: the first 20 faults.")
    position: int = Field(default=0, description="With `invalid_request`: where the body ceases to be JSON.")


class Responses(dict[str | int | HTTPStatus, Any]):
    """The responses of a route by status; `headers` are those of its success, `schemas` those of its problems."""

    headers: dict[str, Any]
    schemas: dict[str, Any]


class Api(OpenAPI):
    """A Flask app with an OpenAPI document; `init_app` gives it its services and its dispatcher."""

    services: Services

    def generate_spec_json(self) -> None:
        """Describe the routes, as generators of clients need it."""
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        complete(self.spec_json)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function; Flask would look several times per request whether it is a coroutine, and none is."""
        return func

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Redirect to a path without a host, because the Host header comes from the client."""
        if isinstance(redirect := request.routing_exception, RequestRedirect):
            redirect.new_url = urlsplit(redirect.new_url)._replace(scheme="", netloc="").geturl()
        super().raise_routing_exception(request)


def api(service: str, title: str, version: str, port: int) -> Api:
    """Return the app of a service; its documentation is at /openapi, `port` that of `make up`."""
    return Api(
        service,
        info=Info(title=title, version=version, license=License(name="MIT", identifier="MIT")),
        servers=[
            Server(url="/", description="The host that serves this document."),
            Server(url=f"http://localhost:{port}", description="The shop of `make up` and of Compose."),
        ],
        security_schemes={
            "bearer": {"type": "http", "scheme": "bearer"},
            "service": {"type": "http", "scheme": "bearer", "description": "The services' own credential."},
        },
        validation_error_status=400,
        validation_error_model=ProblemOut,
        doc_url="/openapi.json",
    )


def responses(success: ResponseDict, *problems: int | type[Problem], headers: tuple[str, ...] = ()) -> Responses:
    """Describe a route's responses: what it returns with which headers, and the problems that it refuses with.

    A number stands for the usual problems of that status. A route with an ETag also answers 304.
    """
    kinds: dict[int, list[type[Problem]]] = {}
    for problem in (*problems, 500, 503):
        for kind in USUAL[problem] if isinstance(problem, int) else (problem,):
            kinds.setdefault(kind.status, []).append(kind)
    limits = RATE_LIMIT if TooManyRequests.status in kinds else ()
    described = Responses({status: _refusal(kinds[status], limits) for status in sorted(kinds)})
    described.update(success)
    described.headers = headers_of((*headers, *limits))
    described.schemas = {name: Schema(**schema) for kind in chain(*kinds.values()) for name, schema in _schemas(kind)}
    if "ETag" in headers:
        described[304] = {"description": "Not Modified: the client has it.", "headers": described.headers}
    return described


def _refusal(kinds: list[type[Problem]], limits: tuple[str, ...]) -> dict[str, Any]:
    """Describe the response of one status; a header that not all of its problems have is optional."""
    sent = [{name for name, _ in kind.headers} for kind in kinds]
    if BEFORE_ATTEMPT.issuperset(kinds):
        limits = ()
    choices = [{"$ref": SCHEMA.format(model=name)} for name in sorted({_name(kind) for kind in kinds})]
    return {
        "content": {MEDIA_TYPE: {"schema": choices[0] if len(choices) == 1 else {"oneOf": choices}}},
        "headers": headers_of((*sorted(set.union(*sent)), *limits), always=set.intersection(*sent)),
    }


def _schemas(kind: type[Problem]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the schema of a problem, with its code and extension members, and those that it refers to."""
    extension = kind.extension.model_json_schema(ref_template=SCHEMA) if kind.extension else {}
    yield from extension.get("$defs", {}).items()
    members = {"code": {"type": "string", "enum": [kind.code]}, **extension.get("properties", {})}
    own = {"type": "object", "properties": members, "required": ["code", *extension.get("required", ())]}
    yield _name(kind), {"allOf": [{"$ref": SCHEMA.format(model="ProblemOut")}, own]}


def _name(kind: type[Problem]) -> str:
    return f"{kind.code.title().replace('_', '')}Problem"
