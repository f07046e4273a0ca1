"""Problems: every refusal is an RFC 9457 document with a stable `code` and the contract's short `error` text."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from flask import Flask, Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from chassis.telemetry.logging import current_request_id

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal: raise it anywhere below a route and nothing has moved.

    `error` is the short text old clients read; `members` are extra members of the document.
    """

    status: int = 500
    code: str = "internal_error"
    error: str = "internal error"
    headers: tuple[tuple[str, str], ...] = ()

    def __init__(self, error: str | None = None, **members: Any) -> None:
        super().__init__(error or self.error)
        self.error = error or self.error
        self.members = members

    def document(self) -> dict[str, Any]:
        return {
            "type": f"urn:b2c:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "error": self.error,
            "request_id": current_request_id(),
            **self.members,
        }

    def response(self) -> Response:
        return Response(
            orjson.dumps(self.document()), status=self.status, headers=list(self.headers), content_type=MEDIA_TYPE
        )


class InvalidRequest(Problem):
    status, code, error = 400, "invalid_request", "invalid request"


class Unauthenticated(Problem):
    status, code, error = 401, "missing_token", "missing bearer token"
    headers = (("WWW-Authenticate", "Bearer"),)


class InvalidToken(Unauthenticated):
    code, error = "invalid_token", "invalid token"
    headers = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)


class NotFound(Problem):
    status, code, error = 404, "not_found", "not found"


class Conflict(Problem):
    status, code, error = 409, "conflict", "conflict"


class UnsupportedMediaType(Problem):
    status, code, error = 415, "unsupported_media_type", "the body must be JSON, sent as application/json"


class Unprocessable(Problem):
    status, code, error = 422, "unprocessable", "cannot be processed"


class Unavailable(Problem):
    """The service cannot answer now; the same request may succeed in a moment."""

    status, code, error = 503, "unavailable", "temporarily unavailable, try again"
    headers = (("Retry-After", "1"),)


class HttpProblem(Problem):
    """A refusal of the framework's own (unknown URL, wrong method, body too large), in our shape."""

    CODES: ClassVar[dict[int, str]] = {400: "invalid_request", 413: "body_too_large"}

    def __init__(self, refusal: HTTPException) -> None:
        self.status = refusal.code or 500
        phrase = HTTPStatus(self.status).phrase.lower()
        self.code = self.CODES.get(self.status, phrase.replace(" ", "_"))
        self.headers = tuple(header for header in refusal.get_headers() if header[0] in {"Allow", "Retry-After"})
        super().__init__(phrase, detail=refusal.description)


def invalid(failure: ValidationError) -> InvalidRequest:
    """Name every offending member; the short text tells the first."""
    faults = failure.errors(include_url=False, include_context=False)
    errors = [{"member": _member(fault), "code": fault["type"], "message": fault["msg"]} for fault in faults]
    return InvalidRequest(_short_text(faults[0]), errors=errors)


def _member(fault: ErrorDetails) -> str:
    return ".".join(map(str, fault["loc"]))


def _short_text(fault: ErrorDetails) -> str:
    member = _member(fault) or "body"
    if "." not in member and (fault["type"] == "missing" or fault["input"] in ("", [])):
        return f"{member} required"
    return f"{member}: {fault['msg']}"


def answer_problems(app: Flask) -> None:
    """Answer every exception as a problem document; log those that are our own fault."""

    @app.errorhandler(Problem)
    def refused(problem: Problem) -> Response:
        return problem.response()

    @app.errorhandler(HTTPException)
    def refused_by_framework(refusal: HTTPException) -> Response:
        return HttpProblem(refusal).response()

    @app.errorhandler(Exception)
    def failed(failure: Exception) -> Response:
        log.exception("unhandled_error", extra={"failure": type(failure).__name__})
        return Problem().response()
