from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_service import money


@pytest.mark.parametrize(("amount", "minor"), [("19.99", 1999), ("5", 500), ("24.9", 2490), ("0.01", 1), ("0", 0)])
def test_an_amount_is_read_as_hundredths(amount: str, minor: int) -> None:
    assert money.parse(amount) == minor


@pytest.mark.parametrize("amount", ["", "1,99", "-1", "1.999", "1e3", " 1", "١", "NaN", "1234567890"])
def test_invalid_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        money.parse(amount)


@given(st.integers(min_value=0, max_value=99_999_999_999))
def test_written_amount_is_read_back_unchanged(minor: int) -> None:
    assert money.parse(str(Decimal(minor).scaleb(-2))) == minor
