"""Stripe's numbers for amounts of every currency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.currencies import DECIMALS
from order_service.payments.stripe_amounts import NotChargeable, from_stripe, to_stripe


@pytest.mark.parametrize(
    ("minor", "currency", "number"),
    [
        (6488, "EUR", 6488),
        (500, "JPY", 500),
        (5, "ISK", 500),  # no decimals in ISO 4217, two that are always 00 at Stripe
        (5, "UGX", 500),
        (500, "MGA", 5),  # two decimals in ISO 4217, none at Stripe
        (5120, "KWD", 5120),
        (104500, "HUF", 104500),  # whole forints are for payouts only
        (104555, "TWD", 104555),
    ],
)
def test_amount_becomes_stripes_number_and_comes_back(minor: int, currency: str, number: int) -> None:
    assert to_stripe(minor, currency) == number
    assert from_stripe(number, currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(5124, "KWD"), (1, "BHD"), (150, "MGA"), (1000, "IQD"), (1000, "LYD"), (1, "UYI"), (1, "CLF")],
)
def test_amount_that_stripe_cannot_take_is_never_rounded(minor: int, currency: str) -> None:
    with pytest.raises(NotChargeable, match=currency):
        to_stripe(minor, currency)


@given(st.integers(1, 99_999_999), st.sampled_from(sorted(DECIMALS)))
def test_every_amount_is_refused_or_comes_back_unchanged(minor: int, currency: str) -> None:
    try:
        number = to_stripe(minor, currency)
    except NotChargeable:
        return
    assert from_stripe(number, currency) == minor
