"""The currencies of ISO 4217 and how many decimals an amount has in each."""

from __future__ import annotations

from iso4217 import Currency

DECIMALS = {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}
"""Without what has no minor unit, such as gold and the codes for tests."""
_USUAL = 2


def decimals(code: str) -> int:
    """Return the number of decimals; two for a code that ISO 4217 does not have, as old products may."""
    return DECIMALS.get(code, _USUAL)
