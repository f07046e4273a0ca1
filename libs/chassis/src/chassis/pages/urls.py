"""URLs of pages: user-service serves those below /account, order-service all others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from flask import current_app, request

from chassis.pages.cookies import ACCOUNT_PATH
from chassis.settings import Settings


def page_url(path: str) -> str:
    """Return the URL of a page of either service, for a link or a redirect of this request."""
    settings = _settings()
    if not settings.sibling_port or is_account(path) == (settings.service == "user-service"):
        return path
    return f"{sibling_origin()}{path}"


def is_account(path: str) -> bool:
    """Tell whether user-service serves this path."""
    return f"{urlsplit(path).path}/".startswith(f"{ACCOUNT_PATH}/")


def sibling_origin() -> str:
    """Return the origin of the other service, on another port of the host that the browser asked."""
    host = re.sub(r":[0-9]+$", "", request.host) or "localhost"
    return f"{request.scheme}://{host}:{_settings().sibling_port}"


def with_next(path: str, following: str) -> str:
    """Return the URL of a page that leads on to the page `following`."""
    return page_url(f"{path}?{urlencode({'next': following})}")


def with_parameters(path: str, parameters: Mapping[str, str | None]) -> str:
    """Return the path with these parameters; those without a value are left out."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def safe_next(path: str | None, default: str) -> str:
    """Return the path if it is one of the shop's own, else the default; browsers read backslashes as slashes."""
    own = path and path.isascii() and path.isprintable() and path.startswith("/") and path[1:2] not in {"/", "\\"}
    return str(path) if own else default


def current_path() -> str:
    return request.full_path.removesuffix("?")


def _settings() -> Settings:
    return current_app.services.settings  # type: ignore[attr-defined, no-any-return]
