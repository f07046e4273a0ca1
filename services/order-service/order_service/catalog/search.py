"""Search text: the words of a product as PostgreSQL indexes them, and the words of a query as it looks for them.

Both are folded alike: no accents, no capitals, ß as ss. A name is indexed by its words as they stand, beside the stems
of the language's dictionary; a description by its stems alone. Chinese and Japanese, which have no spaces, are indexed
by every two neighbouring characters. PostgreSQL makes its own values of both, with `indexed` and `QUERY`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

VERSION = "1"
"""Changes when products must be indexed again; see `indexing.py`."""

_SPECIAL = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ё": "е"})
_ACCENT = re.compile("(?<=[a-z\u0370-\u03ff])[\u0300-\u036f]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_CJK = "\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_RUN = re.compile(f"[{_CJK}]+|[^{_CJK}]+")
_IS_CJK = re.compile(f"[{_CJK}]")
_PARTS = re.compile(r"(?<=[0-9])(?=[^\W0-9])")
_LONGEST_WORD = 100
_SHORT_NUMBER = re.compile("[0-9]{1,2}")
"""As the beginning of a word it would stand for too many."""
_UNIT = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')


def fold(text: str) -> str:
    """Return the text without what people leave out: capitals, accents of Latin and Greek letters, widths."""
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold().translate(_SPECIAL))
    return unicodedata.normalize("NFC", _ACCENT.sub("", spread))


def words(text: str) -> list[str]:
    """Return the words of a folded text: letters, digits and marks; characters of CJK one by one with their next."""
    if text.isascii():
        return [word[:_LONGEST_WORD] for word in _ASCII_WORD.findall(text)]
    spaced = "".join(c if c.isalnum() or unicodedata.category(c).startswith("M") else " " for c in text)
    return [word for chunk in spaced.split() for run in _RUN.findall(chunk) for word in _pairs(run)]


def _pairs(run: str) -> Iterator[str]:
    if not _IS_CJK.match(run):
        yield run[:_LONGEST_WORD]
        return
    yield from (run[place : place + 2] for place in range(len(run) - 1))
    yield run[-1]


def _parts(word: str) -> set[str]:
    """Return the parts of a word behind and before a change from digit to letter: 1000 and xm4 of 1000xm4."""
    parts = _PARTS.split(word)
    return {*parts, *("".join(parts[start:]) for start in range(1, len(parts)))} - {word}


class Indexed(NamedTuple):
    """What `indexed` makes the indexed text of."""

    plain: str
    stem_name: str
    stem_description: str


def index(product_id: str, name: str, description: str) -> Indexed:
    """Return the search text of a product."""
    of_name, of_description = words(fold(name)), words(fold(description))
    plain = [
        f"'{each}':{place}A"
        for place, word in enumerate([*of_name, *words(fold(product_id))], 1)
        for each in sorted({word, *_parts(word)})
    ]
    pairs = [f"'{word}':{place}B" for place, word in enumerate(of_description, len(plain) + 1) if _IS_CJK.match(word)]
    return Indexed(" ".join(plain + pairs), _stemmed(of_name), _stemmed(of_description))


def _stemmed(listed: list[str]) -> str:
    return " ".join(word for word in listed if not _IS_CJK.match(word))


def indexed(source: str, language: str) -> str:
    """Return the SQL expression of the indexed text from the columns that `Indexed` has."""
    return f"""CAST({source}.plain AS tsvector)
        || setweight(to_tsvector(CAST({language} AS regconfig), {source}.stem_name), 'A')
        || setweight(to_tsvector(CAST({language} AS regconfig), {source}.stem_description), 'B')"""


def indexed_as(language: str) -> str:
    """Return what `products.indexed_as` says of a product that is indexed as this code does."""
    return f"{language} {VERSION}"


class Asked(NamedTuple):
    """The units of a query, which are words or quoted phrases: parameters of QUERY."""

    operators: list[str]
    plain: list[str]
    stems: list[str]


def ask(query: str) -> Asked:
    """Return the units of a query: all are looked for; `or`, `-` and quotes as PostgreSQL's websearch reads them."""
    asked, operator = Asked([], [], []), ""
    found = list(_UNIT.finditer(query))
    for unit in found:
        minus, phrase, word = unit.groups()
        if not minus and word and word.lower() == "or":
            operator = " | " if asked.plain else ""
        elif listed := _without_ends(words(fold(phrase if word is None else word))):
            asked.operators.append((operator or (" & " if asked.plain else "")) + ("!" if minus else ""))
            is_last = unit is found[-1] and word is not None and not minus
            asked.plain.append(_sequence(listed, is_last=is_last))
            asked.stems.append("" if any(map(_IS_CJK.match, listed)) else " ".join(listed))
            operator = ""
    return asked


def _without_ends(listed: list[str]) -> list[str]:
    """Leave out the last character of each run of CJK: any character may follow it in a name."""
    return [word for before, word in zip(["", *listed], listed, strict=False) if not _ends_pair(before, word)]


def _ends_pair(before: str, word: str) -> bool:
    return len(word) == 1 and len(before) == 2 and before[1] == word and bool(_IS_CJK.match(word))  # noqa: PLR2004


def _sequence(listed: list[str], *, is_last: bool) -> str:
    begun = (is_last and not _SHORT_NUMBER.fullmatch(listed[-1])) or (
        len(listed[-1]) == 1 and bool(_IS_CJK.match(listed[-1]))
    )
    return " <-> ".join(f"'{word}'" for word in listed) + (":*" if begun else "")


# A unit matches as it stands or by its stem. Units of stop words alone are looked for only when there is nothing else,
# but they count for the rank.
QUERY = r"""
SELECT regexp_replace(
           coalesce(string_agg(operator || unit, '' ORDER BY n) FILTER (WHERE only_stops OR NOT is_stop), ''),
           '^ [&|] ', ''
       )::tsquery AS required,
       string_agg(operator || unit, '' ORDER BY n)::tsquery AS ranked
FROM (
    SELECT n, operator, words <> '' AND stem = '' AS is_stop, bool_and(words <> '' AND stem = '') OVER () AS only_stops,
           CASE WHEN stem IN ('', plain) OR plain = stem || ':*' THEN '(' || plain || ')'
                ELSE '(' || plain || ' | ' || stem || ')' END AS unit
    FROM (
        SELECT *, phraseto_tsquery(CAST(%(language)s AS regconfig), words)::text AS stem
        FROM unnest(CAST(%(operators)s AS text[]), CAST(%(plain)s AS text[]), CAST(%(stems)s AS text[]))
            WITH ORDINALITY AS asked(operator, plain, words, n)
    ) AS stemmed
) AS units"""
