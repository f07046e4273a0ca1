"""Cross-origin requests: from the origins of an allow-list, none by default.

Written out because the preflight of a protected route must be answered before the token is asked for, and because
the page cache needs the same grant without the framework.
"""

from __future__ import annotations

from flask import Flask, Response, request

_EXPOSED = (
    "ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, "
    "X-Request-ID"
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Request-ID, traceparent"
    ),
    "Access-Control-Max-Age": "600",
}


class Cors:
    """Who may read our answers from a browser; tokens travel in a header, so cookies are never allowed."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def grant(self, origin: str | None) -> list[tuple[str, str]]:
        """Return the headers that let this origin read the answer: none for a stranger."""
        if origin not in self._origins:
            return []
        return [("Access-Control-Allow-Origin", str(origin)), ("Access-Control-Expose-Headers", _EXPOSED)]

    def headers(self, origin: str | None) -> list[tuple[str, str]]:
        """Return the headers of an answer that the framework does not see."""
        return [("Vary", "Origin"), *self.grant(origin)] if self._origins else []

    def init_app(self, app: Flask) -> None:
        """Answer preflights, and mark every answer: caches must know that it differs by origin."""
        app.extensions["cors"] = self
        if not self._origins:
            return

        @app.before_request
        def preflight() -> Response | None:
            asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
            allowed = asked and request.headers.get("Origin") in self._origins
            return Response(status=204, headers=_PREFLIGHT) if allowed else None

        @app.after_request
        def share(answer: Response) -> Response:
            answer.vary.add("Origin")
            answer.headers.extend(self.grant(request.headers.get("Origin")))
            return answer
