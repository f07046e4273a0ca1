"""Create a service's app with its OpenAPI document and describe the responses of routes."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import urlsplit

from flask import redirect
from flask.wrappers import Request
from flask_openapi3 import Info, OpenAPI
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel, ConfigDict
from werkzeug.routing import RequestRedirect

from chassis.context import Services
from chassis.problems import MEDIA_TYPE


class ProblemOut(BaseModel):
    """RFC 9457 problem document; `error` is the short text, `code` is stable for programs."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    code: str
    error: str
    request_id: str


class Api(OpenAPI):
    """A Flask app with an OpenAPI document; `init_app` gives it its services and its dispatcher."""

    services: Services

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Redirect to a path without a host, because the Host header comes from the client."""
        if isinstance(redirect := request.routing_exception, RequestRedirect):
            redirect.new_url = urlsplit(redirect.new_url)._replace(scheme="", netloc="").geturl()
        super().raise_routing_exception(request)


def api(service: str, title: str, version: str) -> Api:
    """Return the app of a service, with its documentation at /openapi, where / leads to."""
    app = Api(
        service,
        info=Info(title=title, version=version),
        security_schemes={
            "bearer": {"type": "http", "scheme": "bearer"},
            "service": {"type": "http", "scheme": "bearer", "description": "The services' own credential."},
        },
        validation_error_status=400,
        validation_error_model=ProblemOut,
        doc_url="/openapi.json",
    )
    app.add_url_rule("/", "start", lambda: redirect("/openapi/"))
    return app


def responses(success: ResponseDict, *problems: int) -> ResponseDict:
    """Describe a route's success response and the statuses of its Problems; 500 and 503 are added."""
    content = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}}
    # One dictionary per status: the framework modifies them.
    return {**{status: dict(content) for status in (*problems, 500, 503)}, **success}
