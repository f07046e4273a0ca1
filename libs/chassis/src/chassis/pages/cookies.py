"""The cookies of pages: names, scope, flags.

Over https the names carry the prefixes of RFC 6265bis. No other host of the domain can set a cookie with `__Host-`.
One with `__Secure-` it can, also below a longer path, so that the browser sends it first: such a cookie proves nothing
about whom it belongs to. Over http, on a developer's machine, every port of the host can set all of them.
"""

from __future__ import annotations

from typing import NamedTuple

from flask import Response, request

from chassis.settings import Settings

_MOST_VALUES = 3


class Cookie(NamedTuple):
    """A cookie by its short name; only requests below `path` carry it."""

    name: str
    path: str = "/"

    def full_name(self, settings: Settings) -> str:
        if not settings.https:
            return f"shop-{self.name}"
        return f"__Host-{self.name}" if self.path == "/" else f"__Secure-{self.name}"

    def read(self, settings: Settings) -> str | None:
        return request.cookies.get(self.full_name(settings))

    def read_all(self, settings: Settings) -> list[str]:
        """Return the values that the browser sent by this name, for one path each; three at most."""
        return request.cookies.getlist(self.full_name(settings))[:_MOST_VALUES]

    def set(self, response: Response, settings: Settings, value: str, seconds: int) -> None:
        response.set_cookie(
            self.full_name(settings),
            value,
            max_age=seconds,
            path=self.path,
            secure=settings.https,
            httponly=True,
            samesite="Lax",
        )

    def delete(self, response: Response, settings: Settings) -> None:
        self.set(response, settings, "", 0)


ACCOUNT_PATH = "/account"
TOKEN = Cookie("token")
BASKET = Cookie("basket")
REFRESH = Cookie("refresh", ACCOUNT_PATH)
DEVICE = Cookie("device", ACCOUNT_PATH)
RENEWED = Cookie("renewed")
"""Set for a few seconds by a renewal: a token that is refused right after it is not renewed again."""
PASSED_ON = Cookie("passed-on")
"""Set for a few seconds while a form is led over the other service's port; see forgery.py."""
