"""Amounts as Stripe takes them, which are not always ISO 4217's minor units.

Source: https://docs.stripe.com/currencies, sections "Zero-decimal currencies", "Three-decimal currencies" and "Special
cases". HUF and TWD are special for payouts only. Which of the others an account may charge, and the least and largest
amounts, depend on the account: Stripe's answer decides.
"""

from __future__ import annotations

from chassis.currencies import DECIMALS

# fmt: off
_NO_DECIMALS = frozenset({
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
})
# fmt: on
_TWO_DECIMALS_BUT_WHOLE = frozenset({"ISK", "UGX"})  # "to charge 5 ISK, provide an amount value of 500"
_THREE_DECIMALS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


class NotChargeable(ValueError):
    """Stripe takes no such amount, or not this currency."""


def to_stripe(amount_minor: int, currency: str) -> int:
    """Return Stripe's number for an amount in minor units; raise NotChargeable rather than round it."""
    scaled: int = amount_minor * 10 ** _decimals(currency) // 10 ** DECIMALS[currency]
    if from_stripe(scaled, currency) != amount_minor:
        raise NotChargeable(f"Stripe takes whole {currency} only, not {amount_minor} minor units")
    if currency in _THREE_DECIMALS and scaled % 10:
        raise NotChargeable(f"Stripe takes {currency} with two decimals only, the third must be 0: not {scaled}")
    return scaled


def from_stripe(amount: int, currency: str) -> int:
    """Return Stripe's number in the currency's minor units."""
    scaled: int = amount * 10 ** DECIMALS[currency] // 10 ** _decimals(currency)
    return scaled


def _decimals(currency: str) -> int:
    """Return how many decimals Stripe's number has."""
    if currency in _NO_DECIMALS:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    if currency in _TWO_DECIMALS_BUT_WHOLE or DECIMALS.get(currency) == 2:  # noqa: PLR2004 - cents
        return 2
    raise NotChargeable(f"Stripe does not charge {currency}")
