"""Headers of every response: what a browser may do with it, and nothing about the software that made it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256

from flask import Flask, Response

CSP = "Content-Security-Policy"
# The server names itself unless the application does.
_EVERYWHERE = (("Server", ""), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
# A year. Not for subdomains: they are not ours. Browsers heed it over https only.
_HSTS = ("Strict-Transport-Security", "max-age=31536000")
_DEFAULTS = ((CSP, "default-src 'none'; frame-ancestors 'none'"), ("Cache-Control", "no-store"))

_SCRIPTS = re.compile(r"<script>(.*?)</script>|\bonclick=\"(.*?)\"", re.DOTALL)


def security_headers(headers: Iterable[tuple[str, str]], app_env: str) -> Iterator[tuple[str, str]]:
    """Yield what a response with these headers still needs."""
    given = dict(headers)
    yield from _EVERYWHERE
    if app_env != "local":
        yield _HSTS
    for name, value in _DEFAULTS:
        if name not in given:
            yield name, value


def protect_pages(app: Flask) -> None:
    """Let the documentation's pages load what this service serves, and run the scripts that they contain."""

    @app.after_request
    def allow_own_scripts(response: Response) -> Response:
        if response.mimetype == "text/html":
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
