"""Add security headers to every response and hide the name of the server software."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

from flask import Flask, Response

CSP = "Content-Security-Policy"
# Without a Server header of the application, granian adds its own name.
_EVERYWHERE = (("Server", ""), ("X-Content-Type-Options", "nosniff"))
# One year. Without includeSubDomains: other services may answer there. Browsers ignore it over http.
_HSTS = ("Strict-Transport-Security", "max-age=31536000")
_DEFAULTS = (
    ("Referrer-Policy", "no-referrer"),
    (CSP, "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)

_SCRIPTS = re.compile(r"<script>(.*?)</script>|\bonclick=\"(.*?)\"", re.DOTALL)


def security_headers(headers: Iterable[tuple[str, str]], app_env: str) -> list[tuple[str, str]]:
    """Return the security headers that are missing from these headers."""
    given = dict(headers)
    missing = [header for header in _DEFAULTS if header[0] not in given]
    return [*_EVERYWHERE, *missing] if app_env == "local" else [*_EVERYWHERE, _HSTS, *missing]


def protect_pages(app: Flask) -> None:
    """Give HTML pages a policy that allows own resources and the scripts in the page."""

    @app.after_request
    def allow_own_scripts(response: Response) -> Response:
        if CSP not in response.headers and response.mimetype == "text/html":
            response.headers[CSP] = _policy(response.get_data(as_text=True))
        return response


def _policy(page: str) -> str:
    scripts = " ".join(_hash(tag or handler) for tag, handler in _SCRIPTS.findall(page))
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-hashes' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
