"""Money: integer hundredths in the database, a number with two decimals in JSON."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

Money = Annotated[float, Field(ge=0, json_schema_extra={"examples": [19.99]})]
"""An amount in the OpenAPI document; PostgreSQL writes the JSON number, always with two decimals."""

_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?")


def parse(amount: str) -> int:
    """Return the hundredths of an amount such as "19.99" or "5"; raise ValueError for anything else."""
    match = _AMOUNT.fullmatch(amount)
    if match is None:
        raise ValueError(f"{amount!r} is not an amount such as 19.99")
    units, hundredths = match.groups("0")
    return int(units) * 100 + int(hundredths.ljust(2, "0"))


def sql(minor: str) -> str:
    """Return the SQL that converts the hundredths in `minor` to a number with two decimals."""
    return f"round({minor} / 100.0, 2)"
