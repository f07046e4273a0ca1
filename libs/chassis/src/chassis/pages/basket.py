"""The visitor's basket: a cookie of product ids, quantities and the prices that were shown."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from flask import Response

from chassis.pages.cookies import BASKET
from chassis.settings import Settings
from chassis.text import invisible_character

MOST_LINES = 50  # as many as one order takes
_KEPT_SECONDS = 30 * 86_400
_LONGEST = 3500  # browsers refuse a cookie of more than 4096 bytes
_LONGEST_ID = 100
_LINE = re.compile(r"([A-Za-z0-9._~%-]{1,1200}):([0-9]{1,3}):([0-9]{1,12})")


class Line(NamedTuple):
    """One product in the basket; `price` is what the visitor saw, in the currency's smallest unit."""

    product_id: str
    qty: int
    price: int


class BasketFull(Exception):
    """A cookie holds no more products."""


def read_basket(settings: Settings) -> list[Line]:
    """Return the lines of the basket, MOST_LINES at most; those that are not ours are left out."""
    text = BASKET.read(settings)
    found = map(_LINE.fullmatch, text.split("|")) if text else ()
    read = [Line(unquote(match[1]), int(match[2]), int(match[3])) for match in found if match and int(match[2])]
    lines = {line.product_id: line for line in read if _is_id(line.product_id)}
    return list(lines.values())[:MOST_LINES]


def _is_id(text: str) -> bool:
    return len(text) <= _LONGEST_ID and not invisible_character(text)


def write_basket(response: Response, settings: Settings, lines: list[Line]) -> None:
    """Store the basket; raise BasketFull."""
    text = "|".join(f"{quote(line.product_id, safe='')}:{line.qty}:{line.price}" for line in lines)
    if len(text) > _LONGEST or len(lines) > MOST_LINES:
        raise BasketFull
    if lines:
        BASKET.set(response, settings, text, _KEPT_SECONDS)
    else:
        BASKET.delete(response, settings)
