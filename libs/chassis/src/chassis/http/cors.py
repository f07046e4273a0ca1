"""Cross-origin requests: from the origins of an allow-list, none by default.

Written out because a preflight carries no token and must be answered before anything else of the request is read.
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
    """The origins whose pages may read our responses; tokens travel in a header, so cookies are never allowed."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """Return the headers of every response: caches must know that it differs by origin."""
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
        """Return the headers that answer a preflight request of a known origin; None for any other request."""
        asked = environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        return [*_PREFLIGHT] if asked and environ.get("HTTP_ORIGIN") in self._origins else None
