from __future__ import annotations

import pytest

from order_service.catalog import search


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Café", "cafe"),
        ("STRASSE Straße", "strasse strasse"),
        ("Łódź Ærø Þór", "lodz aero thor"),
        ("\uff8c\uff9e\uff99\uff70", "ブルー"),
        ("ガ", "ガ"),
        ("Йод Ёж", "йод еж"),
        ("\u1f08\u03b8\u03ae\u03bd\u03b1", "αθηνα"),
        ("\u0130stanbul", "istanbul"),
    ],
)
def test_letters_are_folded_to_what_people_type(text: str, folded: str) -> None:
    assert search.fold(text) == folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AT&T", ["at", "t"]),
        ("red/blue Dr.Martens", ["red", "blue", "dr", "martens"]),
        ("a_b", ["a", "b"]),
        ("緑茶セット", ["緑茶", "茶セ", "セッ", "ット", "ト"]),
        ("iPhone用ケース 2個", ["iphone", "用ケ", "ケー", "ース", "ス", "2", "個"]),
        ("हिन्दी", ["हिन्दी"]),
    ],
)
def test_words_are_letters_digits_and_pairs_of_cjk(text: str, words: list[str]) -> None:
    assert search.words(search.fold(text)) == words


def test_parts_of_a_word_are_found_from_a_digit_to_a_letter() -> None:
    plain = search.index("p1", "WH-1000XM4", "").plain
    assert plain.split() == ["'wh':1A", "'1000':2A", "'1000xm4':2A", "'xm4':2A", "'p1':3A"]


def test_query_keeps_or_minus_and_quotes() -> None:
    asked = search.ask('red or "blue mug" -loud & mugs')
    assert asked.operators == ["", " | ", " & !", " & "]
    assert asked.plain == ["'red'", "'blue' <-> 'mug'", "'loud'", "'mugs':*"]
    assert asked.stems == ["red", "blue mug", "loud", "mugs"]


def test_query_of_cjk_looks_for_pairs() -> None:
    assert search.ask("緑茶").plain == ["'緑茶':*"]
    assert search.ask("茶").plain == ["'茶':*"]
    assert search.ask("緑茶 セット").plain == ["'緑茶'", "'セッ' <-> 'ット':*"]


@pytest.mark.parametrize("query", ["", "&", "-", '"', "or", "' ; --", "/ . -"])
def test_query_without_words_asks_for_nothing(query: str) -> None:
    assert search.ask(query) == ([], [], [])
