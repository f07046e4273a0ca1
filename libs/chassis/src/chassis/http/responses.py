"""Build JSON responses (`JsonResponse`) and render them for a request."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from werkzeug.http import parse_etags

from chassis.context import current_context
from chassis.problems import MEDIA_TYPE, PHRASES, Problem

STATUS_LINES = {status: f"{status} {phrase.upper()}" for status, phrase in PHRASES.items()}
NO_CONTENT, NOT_MODIFIED = 204, 304


@dataclass(slots=True)
class JsonResponse:
    """A JSON document with its status and headers; `next_cursor` becomes the `Link` header of a list."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    next_cursor: str | None = None
    content_type: str = "application/json"


class Rendered(NamedTuple):
    """A complete response except for the headers that all responses share."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    etag: str | None


def json_response(payload: Any, status: int = 200) -> JsonResponse:
    return JsonResponse(orjson.dumps(payload), status)


def raw_json(text: str, status: int = 200) -> JsonResponse:
    """Return a response from JSON text, such as a document that PostgreSQL wrote."""
    return JsonResponse(text.encode(), status)


def json_page(documents: Sequence[str], next_cursor: str | None) -> JsonResponse:
    """Return a JSON array of documents; with `next_cursor`, a `Link` header leads to the next page."""
    return JsonResponse(f"[{','.join(documents)}]".encode(), next_cursor=next_cursor)


def no_content() -> JsonResponse:
    return JsonResponse(b"", NO_CONTENT)


def problem_response(problem: Problem) -> JsonResponse:
    body = orjson.dumps(problem.document())
    return JsonResponse(body, problem.status, dict(problem.headers), content_type=MEDIA_TYPE)


def with_etag(response: JsonResponse) -> JsonResponse:
    """Add an ETag, so that a client with a current copy gets 304 without a body."""
    response.etag = f'"{hashlib.sha1(response.body, usedforsecurity=False).hexdigest()}"'
    response.headers["Cache-Control"] = "private, no-cache" if current_context().caller else "no-cache"
    return response


def render(response: JsonResponse, environ: Mapping[str, Any]) -> Rendered:
    """Render the full response to this request, without regard to `If-None-Match`."""
    headers = list(({"Cache-Control": "no-store"} | response.headers).items())
    if response.next_cursor is not None:
        headers.append(("Link", _link(environ, response.next_cursor)))
    if response.etag is not None:
        headers.append(("ETag", response.etag))
    if response.body:
        headers.append(("Content-Type", response.content_type))
    if response.status != NO_CONTENT:
        headers.append(("Content-Length", str(len(response.body))))
    return Rendered(response.status, headers, response.body, response.etag)


def unless_known(rendered: Rendered, if_none_match: str | None) -> Rendered:
    """Return 304 without a body when `If-None-Match` holds the response's ETag, else the response."""
    if not if_none_match or rendered.etag is None or not parse_etags(if_none_match).contains_weak(rendered.etag[1:-1]):
        return rendered
    headers = [header for header in rendered.headers if header[0] not in {"Content-Type", "Content-Length"}]
    return Rendered(NOT_MODIFIED, headers, b"", rendered.etag)


def _link(environ: Mapping[str, Any], cursor: str) -> str:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(environ["QUERY_STRING"], keep_blank_values=True):
        parameters.setdefault(name, value)  # of duplicates, the first
    path = quote(environ["PATH_INFO"], encoding="latin-1")
    return f'<{path}?{urlencode({**parameters, "after": cursor})}>; rel="next"'
