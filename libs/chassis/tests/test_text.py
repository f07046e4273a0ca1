from __future__ import annotations

import unicodedata

import pytest

from chassis.text import invisible_character, normalised

INVISIBLE = "\x00\x07\x1f\x7f\x85\x9b\xad\u061c\u200b\u200e\u200f"
INVISIBLE += "\u2028\u2029\u202a\u202e\u2060\u2066\u2069\u3164\ufeff\ufff9\U000e0041"


@pytest.mark.parametrize("character", INVISIBLE, ids=lambda character: f"U+{ord(character):04X}")
def test_character_that_cannot_be_seen_is_found(character: str) -> None:
    assert invisible_character(f"Anna{character}Lee") == f"U+{ord(character):04X}"


@pytest.mark.parametrize("text", ["Anna\u200dLee", "Anna\u200cLee", "\u200dAnna", "\u0639\u200c", "\U0001f600\u200d"])
def test_joiner_that_joins_nothing_is_found(text: str) -> None:
    assert invisible_character(text) in {"U+200C", "U+200D"}


@pytest.mark.parametrize(
    "text",
    [
        "Zo\u00eb O'Neill-Gro\u00df, 3. Stock (links)",
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",  # a Persian name with the joiner that its spelling asks for
        "\u0d28\u0d4d\u200d",  # an Indic letter form
        "\U0001f469\u200d\U0001f4bb \u2764\ufe0f\u200d\U0001f525",
        "\u845b\U000e0100\u57ce",  # a variant of a character in Japanese names
        "\u5c71\u7530\u3000\u592a\u90ce",
        "a\u00a0b",
    ],
)
def test_text_that_people_write_passes(text: str) -> None:
    assert invisible_character(normalised(text)) is None


def test_equal_texts_are_equal_once_normalised() -> None:
    assert normalised(unicodedata.normalize("NFD", " M\u00f6bel\u3000")) == "M\u00f6bel"
