"""Normalise one-line texts and find invisible characters in them."""

from __future__ import annotations

import re
import unicodedata

# Joiners change how letters of Arabic and Indic scripts connect, and combine emoji; elsewhere they are invisible.
_JOINING = re.compile(
    "(?<=[\u0600-\u109f\u1780-\u18af])[\u200c\u200d](?=[\u0600-\u109f\u1780-\u18af])"
    "|(?<=[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca])\u200d"
    "|(?<=[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d(?=[\u2190-\u2bff\U0001f000-\U0001faff])"
)
_ARABIC_NUMBER_SIGNS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")  # category Cf, but visible
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks without a glyph
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def normalised(text: str) -> str:
    """Return the text trimmed and in Unicode normal form NFC."""
    return unicodedata.normalize("NFC", text).strip()


def invisible_character(text: str) -> str | None:
    """Return the first control, direction, format or blank character, written like U+202E; None without one."""
    if text.isascii() and text.isprintable():
        return None
    for character in _JOINING.sub("", text):
        if character in _BLANK or (
            unicodedata.category(character) in _INVISIBLE and character not in _ARABIC_NUMBER_SIGNS
        ):
            return f"U+{ord(character):04X}"
    return None
