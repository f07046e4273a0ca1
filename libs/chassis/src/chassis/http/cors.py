"""CORS for an allow-list of origins, empty by default.

No library is used because a preflight must be answered before anything else of the request is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_EXPOSED = (
    "ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    "X-Request-ID"
)
_PREFLIGHT = (
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-ID, traceparent",
    ),
    ("Access-Control-Max-Age", "600"),
    ("Cache-Control", "no-store"),
)


class Cors:
    """Make the CORS headers; credentials are not allowed, because tokens travel in a header."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """Return the CORS headers of a response; `Vary` tells caches that it depends on the origin."""
        if not self._origins:
            return []
        if origin not in self._origins:
            return [("Vary", "Origin")]
        return [
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", str(origin)),
            ("Access-Control-Expose-Headers", _EXPOSED),
        ]

    def preflight(self, environ: Mapping[str, Any]) -> list[tuple[str, str]] | None:
        """Return the headers of the response to an allowed preflight request; None for any other request."""
        asked = environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        return [*_PREFLIGHT] if asked and environ.get("HTTP_ORIGIN") in self._origins else None
