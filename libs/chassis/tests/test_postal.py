from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chassis.http.postal import Address

HOME = {"street": "1 Nathan Road", "city": "Kowloon", "country": "HK"}


def refusal(**members: Any) -> list[tuple[Any, str]]:
    with pytest.raises(ValidationError) as refused:
        Address.model_validate(HOME | members)
    return [(fault["loc"][0], fault["msg"]) for fault in refused.value.errors()]


@pytest.mark.parametrize("blank", [{}, dict.fromkeys(("recipient", "line2", "region", "postal_code"), " ")])
def test_members_that_not_every_country_has_may_be_left_out(blank: dict[str, str]) -> None:
    assert Address.model_validate(HOME | blank).model_dump() == HOME


def test_second_line_and_region_are_kept_in_the_order_of_an_envelope() -> None:
    address = {"street": "1 Main St", "line2": "Flat 2", "city": "Austin", "region": "TX", "postal_code": "78701"}
    assert list(Address.model_validate({"country": "US", **address}).model_dump().items()) == [
        *address.items(),
        ("country", "US"),
    ]


@pytest.mark.parametrize("written", ["DE", "de", "De", " de "])
def test_country_is_understood_however_it_is_written(written: str) -> None:
    assert Address.model_validate(HOME | {"country": written}).country == "DE"


@pytest.mark.parametrize("country", ["QQ", "XX", "D", "DEU", "Germany", "", "\u00df"])
def test_country_that_iso_3166_does_not_have_is_refused(country: str) -> None:
    assert refusal(country=country) == [("country", "is not a code of ISO 3166, which has two letters, such as DE")]


@pytest.mark.parametrize(("country", "right"), [("UK", "GB"), ("uk", "GB"), ("EL", "GR")])
def test_usual_mistake_is_refused_with_the_right_code(country: str, right: str) -> None:
    assert refusal(country=country) == [("country", f"is not a code of ISO 3166: use {right}")]


def test_character_that_cannot_be_seen_is_refused_by_its_number() -> None:
    assert refusal(street="1 Nathan\u202e Road") == [
        ("street", "contains U+202E, a control or invisible character: leave it out")
    ]


def test_decomposed_text_is_composed_before_its_length_counts() -> None:
    assert Address.model_validate(HOME | {"city": "o\u0308" * 100}).city == "\u00f6" * 100
    assert refusal(city="o\u0308" * 101) == [("city", "String should have at most 100 characters")]
