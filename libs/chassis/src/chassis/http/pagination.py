"""Opaque pagination cursors: encode the position where a page ended, decode it for the next page."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from chassis.problems import InvalidRequest

LONGEST_CURSOR = 1500  # one with a name of 200 characters of 4 bytes has 1,110


class BadCursor(InvalidRequest):
    error = "after: not a key that a Link header of this list gave out"


def encode_cursor(*parts: str | int) -> str:
    """Write the place where a page ended as an opaque key."""
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def decode_cursor(key: str, *kinds: type) -> list[Any]:
    """Read a key back; anything that we did not write ourselves is refused."""
    try:
        parts = orjson.loads(urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        fits = isinstance(parts, list) and [type(part) for part in parts] == list(kinds)
    except ValueError:
        fits = False
    if not fits or any("\x00" in part for part in parts if isinstance(part, str)):
        raise BadCursor
    return list(parts)
