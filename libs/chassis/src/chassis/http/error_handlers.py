"""Turn every exception into a Problem, for the dispatcher and for Flask."""

from __future__ import annotations

import logging

from flask import Flask, Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from chassis.db.database import as_problem
from chassis.http.responses import problem_response
from chassis.problems import PHRASES, InvalidRequest, Problem

log = logging.getLogger(__name__)

MOST_FAULTS = 20


class FrameworkRefusal(Problem):
    """An error of Flask itself, such as an unknown URL or a wrong method."""

    def __init__(self, refusal: HTTPException) -> None:
        self.status = refusal.code or 500
        phrase = PHRASES[self.status].lower()
        self.code = "invalid_request" if self.status == 400 else phrase.replace(" ", "_")  # noqa: PLR2004 - a status
        self.headers = tuple(header for header in refusal.get_headers() if header[0] in {"Allow", "Retry-After"})
        super().__init__(phrase, detail=refusal.description)


def to_problem(failure: Exception) -> Problem:
    """Return the Problem for an exception; log an unexpected one and return a 500."""
    if isinstance(failure, Problem):
        return failure
    if isinstance(failure, HTTPException):
        return FrameworkRefusal(failure)
    if problem := as_problem(failure):
        return problem
    log.error("unhandled_error", exc_info=failure, extra={"failure": type(failure).__name__})
    return Problem()


def handle_errors(app: Flask) -> None:
    """Register the error handler of Flask's own routes."""

    @app.errorhandler(Exception)
    def refuse(failure: Exception) -> Response:
        answer = problem_response(to_problem(failure))
        return Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)


def invalid(failure: ValidationError) -> InvalidRequest:
    """Return a Problem that lists the first MOST_FAULTS invalid members; its `error` text names the first."""
    faults = failure.errors(include_url=False, include_context=False)[:MOST_FAULTS]
    errors = [{"member": _member(fault), "code": fault["type"], "message": _words(fault)} for fault in faults]
    return InvalidRequest(_short_text(faults[0]), errors=errors)


def _member(fault: ErrorDetails) -> str:
    return ".".join(map(str, fault["loc"]))


def _short_text(fault: ErrorDetails) -> str:
    member = _member(fault) or "body"
    if "." not in member and (fault["type"] == "missing" or (fault["type"], fault["input"]) == ("too_short", [])):
        return f"{member} required"
    return f"{member}: {_words(fault)}"


def _words(fault: ErrorDetails) -> str:
    blank = isinstance(fault["input"], str) and not fault["input"].strip()
    return "must not be empty" if blank and fault["type"] == "string_too_short" else fault["msg"]
