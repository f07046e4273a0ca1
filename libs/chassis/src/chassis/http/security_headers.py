"""Headers that every answer carries: what a browser may do with it, and nothing about what made it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

from flask import Flask, Response

# The server names itself unless the application does.
EVERYWHERE = (("Server", ""), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))
NOTHING = "default-src 'none'; frame-ancestors 'none'"
DOCUMENT = (*EVERYWHERE, ("Content-Security-Policy", NOTHING))
REFUSAL = (*DOCUMENT, ("Cache-Control", "no-store"))
"""For a refusal that the framework never sees."""

_SCRIPTS = re.compile(r"<script>(.*?)</script>|\bonclick=\"(.*?)\"", re.DOTALL)


def harden(app: Flask) -> None:
    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.extend(EVERYWHERE)
        answer.headers["Content-Security-Policy"] = _pages(answer) if answer.mimetype == "text/html" else NOTHING
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer


def _pages(answer: Response) -> str:
    """Let the documentation's pages load what this service serves, and run the scripts that they hold themselves."""
    scripts = " ".join(_hash(tag or handler) for tag, handler in _SCRIPTS.findall(answer.get_data(as_text=True)))
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-hashes' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
