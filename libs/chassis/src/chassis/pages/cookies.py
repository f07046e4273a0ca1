"""The cookies of pages: names, scope, flags.

Over https the names carry the prefixes of RFC 6265bis, so that no other host of the domain can set them.
"""

from __future__ import annotations

from typing import NamedTuple

from flask import Response, request

from chassis.settings import Settings


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
