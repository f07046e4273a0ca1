"""Types of events, and the Problems that refuse a position in their log."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from chassis.problems import Conflict

# One named enumeration in the OpenAPI document, instead of one for each use.
EventType = TypeAliasType(
    "EventType",
    Literal["order.placed", "order.paid", "order.shipped", "order.delivered", "order.cancelled", "order.refunded"],
)
TYPES: tuple[str, ...] = get_args(EventType.__value__)

RESTORED = "the events came from a dump of another server: complete the restore, as the runbook says"


class LogChanged(Conflict):
    code = "event_log_changed"
    error = (
        "there is no such event, because the database was restored: read again without `after`, and skip the events "
        "whose ids you know"
    )


def known_types(names: list[str]) -> list[str]:
    """Return the types without repetitions; raise an error that names an unknown one."""
    for name in names:
        if name not in TYPES:
            message = "{name} is no type of event: take some of {types}"
            raise PydanticCustomError("event_type", message, {"name": repr(name), "types": ", ".join(TYPES)})
    return list(dict.fromkeys(names))
