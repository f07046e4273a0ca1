"""Money: an integer in the currency's smallest unit in the database, a number with the currency's decimals in JSON."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from chassis.currencies import DECIMALS, decimals

Money = Annotated[float, Field(ge=0, json_schema_extra={"examples": [19.99]})]
"""An amount in the OpenAPI document; PostgreSQL writes the JSON number, always with the currency's decimals."""

_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]+))?")


def is_currency(code: str) -> bool:
    return code in DECIMALS


def parse(amount: str, currency: str) -> int:
    """Return an amount such as "19.99" or "5" in the currency's smallest unit; raise ValueError for anything else."""
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise ValueError(f"{amount!r} is not an amount such as {example(currency)}")
    units, fraction = match.groups("")
    digits = decimals(currency)
    if len(fraction.rstrip("0")) > digits:
        raise ValueError(f"{amount!r} has too many decimals: {currency} has {digits or 'none'}")
    factor: int = 10**digits
    return int(units) * factor + int(fraction[:digits].ljust(digits, "0") or "0")


def example(currency: str) -> str:
    return f"{Decimal('19.9899'):.{decimals(currency)}f}"


def amount(minor: int, currency: str) -> Decimal:
    """Return a number of smallest units as an amount."""
    return Decimal(minor).scaleb(-decimals(currency))


def to_minor(number: float, currency: str) -> int:
    """Return the smallest units of a number from a JSON document of the shop."""
    factor: int = 10 ** decimals(currency)
    return round(number * factor)


def _listed(digits: int) -> str:
    return ", ".join(f"'{code}'" for code in sorted(DECIMALS) if DECIMALS[code] == digits)


_UNITS = {0: "1", 3: "0.001", 4: "0.0001"}
_FREQUENT = "'EUR', 'USD', 'GBP', 'CHF'"  # compared first: the long lists take time


def sql(minor: str, currency: str) -> str:
    """Return the SQL that converts smallest units to a number with the currency's decimals.

    A product has the decimals of both factors, so that no rounding is needed.
    """
    return f"({minor}) * {unit(currency)}"


def unit(currency: str) -> str:
    """Return the SQL of the factor by which `sql` multiplies; a statement with many amounts computes it once."""
    cases = " ".join(f"WHEN {currency} IN ({_listed(digits)}) THEN {factor}" for digits, factor in _UNITS.items())
    return f"CASE WHEN {currency} IN ({_FREQUENT}) THEN 0.01 {cases} ELSE 0.01 END"
