"""Encode and decode opaque pagination cursors."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from chassis.problems import InvalidRequest


class BadCursor(InvalidRequest):
    error = "after: not a key that a Link header of this list gave out"


def encode_cursor(*parts: str | int) -> str:
    """Encode the sort key of a page's last row."""
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def decode_cursor(key: str, *kinds: type) -> list[Any]:
    """Decode a cursor of `encode_cursor` whose parts have these types; raise BadCursor for anything else."""
    try:
        parts = orjson.loads(urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        fits = isinstance(parts, list) and [type(part) for part in parts] == list(kinds)
    except ValueError:
        fits = False
    if not fits or encode_cursor(*parts) != key or any("\x00" in part for part in parts if isinstance(part, str)):
        raise BadCursor
    return list(parts)
