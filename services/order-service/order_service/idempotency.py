"""The header with which a client repeats a request without doing it twice."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def _key(key: str) -> str:
    # The server hands on a value that is not ASCII as an empty one.
    if not _KEY.fullmatch(key):
        message = "must be 1 to 255 printable characters of ASCII without spaces, such as a UUID"
        raise PydanticCustomError("idempotency_key", message)
    return key


Key = Annotated[str, AfterValidator(_key), Field(json_schema_extra={"pattern": f"^{_KEY.pattern}$"})]
