"""What a product may hold: limits, and readers of single texts that refuse with a way forward."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

from chassis.currencies import decimals
from chassis.text import invisible_character, normalised
from order_service import money

LONGEST_ID, LONGEST_NAME, LONGEST_DESCRIPTION, LONGEST_CATEGORY, LONGEST_TAX_CLASS = 100, 200, 5000, 100, 50
LONGEST_OPTION, MOST_OPTIONS, LONGEST_URL, MOST_IMAGES = 100, 10, 1000, 20
LARGEST_STOCK = 1_000_000_000
STANDARD = "standard"

Decimal = Literal["point", "comma", "either"]
"""The decimal sign of a file's amounts; "either" refuses a point before three digits, which may separate thousands."""

_ID_SIGNS = " ._-+"
_ROUNDED = re.compile(r"[0-9]+[.,]?[0-9]*E\+?[0-9]+", re.IGNORECASE)
_URL = re.compile(r"https?://[!-~]+")
_STOCK = re.compile(r"[+-]?[0-9]{1,10}")
_PARTIAL_STOCK = re.compile(r"([+-]?[0-9]{1,10})[.,]0+")
_AMOUNTS: dict[str, re.Pattern[str]] = {
    "point": re.compile(r"[0-9]+(\.[0-9]+)?"),
    "comma": re.compile(r"[0-9]+(,[0-9]+)?"),
    "either": re.compile(r"[0-9]+(,[0-9]+|\.[0-9]{1,2})?"),
}
_YES, _NO = {"yes", "true", "1", "active"}, {"no", "false", "0", "inactive"}


def product_id(text: str) -> str:
    """Return the id of a product, which stands in the addresses of its pages."""
    _length(text, "an id", LONGEST_ID, shortest=1)
    _visible(text)
    if _ROUNDED.fullmatch(text):
        raise ValueError(
            "a spreadsheet has rounded this number: format the column as text there and enter the whole number"
        )
    wrong = sorted({sign for sign in text if not _fits_id(sign)})
    if wrong:
        better = "".join(sign if _fits_id(sign) else "-" for sign in text)
        raise ValueError(
            "an id has letters, digits, spaces and . _ - +, because it stands in web addresses: "
            f"instead of {' '.join(wrong)} write for instance {better}"
        )
    if not text.strip("."):
        raise ValueError("web addresses cannot hold an id of dots alone: add a letter or a digit")
    return text


def _fits_id(sign: str) -> bool:
    return sign in _ID_SIGNS or sign.isalnum() or unicodedata.category(sign).startswith("M")


def line(what: str, longest: int, shortest: int = 0) -> Callable[[str], str]:
    """Return the reader of a one-line text."""

    def read(text: str) -> str:
        _length(text, what, longest, shortest)
        if "\n" in text or "\r" in text:
            raise ValueError(f"{what} is one line: leave out the line break")
        return _visible(text)

    return read


def description(text: str) -> str:
    """Return a text of several lines, separated by line feeds."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _length(text, "a description", LONGEST_DESCRIPTION)
    _visible(text.replace("\n", " "))
    return text


def _length(text: str, what: str, longest: int, shortest: int = 0) -> None:
    if len(text) < shortest:
        raise ValueError(f"{what} is missing: fill it in")
    if len(text) > longest:
        raise ValueError(f"{what} has at most {longest} characters, this one {len(text)}: shorten it")


def _visible(text: str) -> str:
    if invisible := invisible_character(text):
        raise ValueError(f"the text contains {invisible}, a control or invisible character: leave it out")
    return text


def currency(code: str) -> str:
    if money.is_currency(code):
        return code
    if money.is_currency(code.upper()):
        raise ValueError(f"write the code in capitals: {code.upper()}")
    raise ValueError("not a currency code of ISO 4217: write a code such as EUR")


def amount(text: str, code: str, decimal: Decimal = "point") -> int:
    """Return an amount in the currency's smallest unit."""
    if _AMOUNTS[decimal].fullmatch(text):
        try:
            return money.parse(text.replace(",", "."), code)
        except ValueError:
            places = decimals(code)
            if len(re.split("[.,]", text)[0]) > 9:  # noqa: PLR2004 - the most digits of an amount
                raise ValueError("an amount has at most nine digits before its decimals") from None
            have = f"at most {places} decimals" if places else "no decimals"
            raise ValueError(f"{code} has {have}: round the amount") from None
    raise ValueError(_better_amount(text, decimal))


def _better_amount(text: str, decimal: Decimal) -> str:
    whole, sign, fraction = _split(re.sub(r"[^0-9.,]", "", text))
    if not whole + fraction or "-" in text or re.search("[0-9][a-df-z]", text, re.IGNORECASE):
        return "an amount is a number of digits: write one such as 19.99"
    mark = "," if decimal == "comma" else "."
    written = f"{whole or '0'}{mark}{fraction}" if fraction else whole
    if decimal == "point" and sign == "," and re.fullmatch("[0-9]+,[0-9]{1,2}", text):
        return f"decimals follow a point: write {written}, or say that the file has decimal commas (--decimal comma)"
    if decimal == "either" and re.fullmatch(r"[0-9]+\.[0-9]{3,}", text):
        return f"a point before three digits may separate thousands: write {whole}{fraction} or {written}"
    return f"write digits, and decimals after a {'comma' if mark == ',' else 'point'}, and nothing else: {written}"


def _split(digits: str) -> tuple[str, str, str]:
    """Return the digits before the last separator, the separator, and the digits after it."""
    place = max(digits.rfind("."), digits.rfind(","))
    if place < 0:
        return digits, "", ""
    return re.sub("[.,]", "", digits[:place]), digits[place], digits[place + 1 :]


def stock(text: str) -> tuple[int, bool]:
    """Return a number of units, and whether it is a change such as +20."""
    if partial := _PARTIAL_STOCK.fullmatch(text):
        raise ValueError(f"stock is counted in whole units: write {partial[1]}")
    if not _STOCK.fullmatch(text):
        raise ValueError("stock is a number of units such as 20, or a change such as +20 or -3")
    if abs(int(text)) > LARGEST_STOCK:
        raise ValueError(f"stock is at most {LARGEST_STOCK}")
    return int(text), text[0] in "+-"


def active(text: str) -> bool:
    if text.casefold() not in _YES | _NO:
        raise ValueError("write yes or no")
    return text.casefold() in _YES


def image(url: str) -> str:
    if len(url) > LONGEST_URL or not _URL.fullmatch(url):
        raise ValueError(
            f"an image is an address of at most {LONGEST_URL} characters that begins with https://, with spaces as %20"
        )
    return url


def images(text: str) -> list[str]:
    """Return URLs that are separated by spaces."""
    urls = [image(url) for url in text.split()]
    if len(urls) > MOST_IMAGES:
        raise ValueError(f"a product has at most {MOST_IMAGES} images: leave some out")
    return urls


def options(text: str) -> dict[str, str]:
    """Return what is written like "Size=M; Colour=red"."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    if not all(sign for _, sign, _ in pairs):
        raise ValueError("options are written like Size=M; Colour=red")
    return checked_options({normalised(name): normalised(value) for name, _, value in pairs})


def checked_options(found: dict[str, str]) -> dict[str, str]:
    if len(found) > MOST_OPTIONS:
        raise ValueError(f"a product has at most {MOST_OPTIONS} options")
    for text in (*found, *found.values()):
        line("an option", LONGEST_OPTION, 1)(text)
        if ";" in text or "=" in text:
            raise ValueError("an option holds no ; and no =: leave them out")
    return found


def written_options(found: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in found.items())
