"""Problems: exceptions that become RFC 9457 documents with a stable `code` and a short `error` text."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from chassis.context import current_request_id

MEDIA_TYPE = "application/problem+json"

# The names of Python 3.13, so that responses do not depend on the Python version.
PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    422: "Unprocessable Content",
}


class Problem(Exception):
    """A refused request; raise it before changing anything, or inside a transaction.

    `error` is the short text of the first API version; `members` are extra members of the document, which
    `extension` describes.
    """

    status: int = 500
    code: str = "internal_error"
    error: str = "internal error"
    headers: tuple[tuple[str, str], ...] = ()
    extension: type[BaseModel] | None = None

    def __init__(self, error: str | None = None, **members: Any) -> None:
        super().__init__(error or self.error)
        self.error = error or self.error
        self.members = members

    def document(self) -> dict[str, Any]:
        return {
            "type": f"urn:b2c:problem:{self.code}",
            "title": PHRASES[self.status],
            "status": self.status,
            "code": self.code,
            "error": self.error,
            "request_id": current_request_id(),
            **self.members,
        }


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


class BodyTooLarge(Problem):
    status, code, error = 413, "body_too_large", "content too large"

    def __init__(self) -> None:
        super().__init__(detail="The data value transmitted exceeds the capacity limit.")


class UnsupportedMediaType(Problem):
    status, code, error = 415, "unsupported_media_type", "the body must be JSON, sent as application/json"


class Unprocessable(Problem):
    status, code, error = 422, "unprocessable", "cannot be processed"


class TooManyRequests(Problem):
    """The client must wait for `seconds` before its next attempt."""

    status, code, error = 429, "too_many_requests", "too many attempts, try again later"
    headers = (("Retry-After", "1"),)

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.headers = (("Retry-After", str(seconds)),)


class Unavailable(Problem):
    """The service cannot answer now; a retry may succeed."""

    status, code, error = 503, "unavailable", "temporarily unavailable, try again"
    headers = (("Retry-After", "1"),)
