"""Read an order's number as people write it."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015\u2212._]+")
_NUMBER = re.compile(r"[0-9A-HJKMNP-TV-Z]{12}")
_LOOKALIKES = str.maketrans("OIL", "011")


def read(text: str) -> str | None:
    """Return the number in its own spelling, such as 7K2M-9QDX-41TB; None when it cannot be one."""
    digits = _SEPARATORS.sub("", text).upper().translate(_LOOKALIKES)
    if not _NUMBER.fullmatch(digits):
        return None
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"
