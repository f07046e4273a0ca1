"""What routes answer with, whoever writes it to the wire: the framework, or the express lane beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import orjson
from werkzeug.http import parse_etags

from chassis.auth.tokens import known_caller

STATUS_LINES = {status.value: f"{status.value} {status.phrase.upper()}" for status in HTTPStatus}


@dataclass(slots=True)
class JsonResponse:
    """A JSON raw_json with its status and headers; `etag` and `next_key` are told in what they lead to."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    next_key: str | None = None


class Rendered(NamedTuple):
    """An answer as it goes to this client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def raw_json(body: str, status: int = 200) -> JsonResponse:
    """Answer with JSON that is written already."""
    return JsonResponse(body.encode(), status)


def json_response(payload: Any, status: int = 200) -> JsonResponse:
    return JsonResponse(orjson.dumps(payload), status)


def json_page(documents: Sequence[str], next_key: str | None) -> JsonResponse:
    """Answer with a JSON array; the `Link` header leads to the next json_page where there is one."""
    return JsonResponse(f"[{','.join(documents)}]".encode(), next_key=next_key)


def with_etag(answer: JsonResponse) -> JsonResponse:
    """Give the answer an ETag, so that a client which has it already gets 304 without a body."""
    answer.etag = f'"{hashlib.sha1(answer.body, usedforsecurity=False).hexdigest()}"'
    answer.headers["Cache-Control"] = "private, no-cache" if known_caller() else "no-cache"
    return answer


def render(answer: JsonResponse, environ: Mapping[str, Any]) -> Rendered:
    """Write the answer for the client of this request."""
    answer.headers.setdefault("Cache-Control", "no-store")
    headers = list(answer.headers.items())
    if answer.next_key is not None:
        headers.append(("Link", _link(environ, answer.next_key)))
    if answer.etag is not None:
        headers.append(("ETag", answer.etag))
        if (known := environ.get("HTTP_IF_NONE_MATCH")) and parse_etags(known).contains_weak(answer.etag[1:-1]):
            return Rendered(304, headers, b"")
    headers += [("Content-Type", "application/json"), ("Content-Length", str(len(answer.body)))]
    return Rendered(answer.status, headers, answer.body)


def _link(environ: Mapping[str, Any], next_key: str) -> str:
    asked: dict[str, str] = {}
    for name, value in parse_qsl(environ["QUERY_STRING"], keep_blank_values=True):
        asked.setdefault(name, value)  # of several, the framework reads the first
    path = quote(environ["PATH_INFO"], encoding="latin-1")
    return f'<{path}?{urlencode({**asked, "after": next_key})}>; rel="next"'
