from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.currencies import DECIMALS
from chassis.pages.formatting import price
from order_service import money


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", "EUR", 1999),
        ("5", "EUR", 500),
        ("24.9", "EUR", 2490),
        ("0.01", "EUR", 1),
        ("0", "EUR", 0),
        ("1.990", "EUR", 199),
        ("1980", "JPY", 1980),
        ("1980.00", "JPY", 1980),
        ("1.250", "KWD", 1250),
        ("1.2", "KWD", 1200),
        ("12.50", "HUF", 1250),
        ("1.0001", "CLF", 10001),
    ],
)
def test_an_amount_is_read_in_the_smallest_unit_of_its_currency(amount: str, currency: str, minor: int) -> None:
    assert money.parse(amount, currency) == minor


@pytest.mark.parametrize("amount", ["", "1,99", "-1", "1e3", " 1", "١", "NaN", "1234567890", "1.", ".5"])
def test_invalid_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"is not an amount such as 19\.99"):
        money.parse(amount, "EUR")


@pytest.mark.parametrize(
    ("amount", "currency", "reason"),
    [("1980.50", "JPY", "JPY has none"), ("1.999", "EUR", "EUR has 2"), ("1.2505", "KWD", "KWD has 3")],
)
def test_amount_with_more_decimals_than_its_currency_is_refused(amount: str, currency: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"has too many decimals: {reason}"):
        money.parse(amount, currency)


@pytest.mark.parametrize("code", ["EUT", "eur", "XXX", "XAU", ""])
def test_code_that_is_no_currency_of_iso_4217_is_refused(code: str) -> None:
    assert money.is_currency("EUR")
    assert not money.is_currency(code)


@given(st.integers(min_value=0, max_value=99_999_999_999), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_written_amount_is_read_back_unchanged(minor: int, currency: str) -> None:
    written = money.amount(minor, currency)
    if written < 10**9:
        assert money.parse(str(written), currency) == minor
        assert money.to_minor(float(written), currency) == minor


def test_sql_knows_every_number_of_decimals() -> None:
    assert set(DECIMALS.values()) == {*money._UNITS, 2}


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (1980, "JPY", "JP¥1,980"),
        (1.25, "KWD", "KWD1.250"),
        (12.5, "HUF", "HUF12.50"),
    ],
)
def test_pages_show_the_decimals_of_the_currency(amount: float, currency: str, shown: str) -> None:
    assert price(amount, currency) == shown
