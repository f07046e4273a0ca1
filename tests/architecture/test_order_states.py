"""The states in docs/orders.md are those of the table in orders/states.py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from order_service.orders.states import ACTIONS, ANY_PAYMENT, OrderStatus

DOCUMENT = Path(__file__).parents[2] / "docs/orders.md"
BEGIN, END = "<!-- states -->\n", "<!-- /states -->\n"
STATUSES = get_args(OrderStatus.__value__)


def diagram() -> Iterator[str]:
    """Yield the lines of a Mermaid diagram of the statuses and the actions that change them."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> placed"
    for status in STATUSES:
        for after in STATUSES:
            names = [name for name, action in ACTIONS.items() if status in action.statuses and action.then == after]
            if names:
                yield f"    {status} --> {after}: {', '.join(names)}"
    yield from (f"    {status} --> [*]" for status in STATUSES if not _goes_on(status))
    yield "```"


def _goes_on(status: str) -> bool:
    return any(status in action.statuses and action.then for action in ACTIONS.values())


def table() -> Iterator[str]:
    """Yield the lines of a table of the states that each action accepts."""
    yield "| action | of an order | whose payment is |"
    yield "|---|---|---|"
    for name, action in ACTIONS.items():
        payments = "any" if set(action.payments) == set(ANY_PAYMENT) else ", ".join(action.payments)
        yield f"| {name} | {', '.join(action.statuses)} | {payments} |"


def test_states_in_the_document_are_those_of_the_code() -> None:
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n".join([*diagram(), "", *table(), ""])
    if os.environ.get("UPDATE_STATES"):
        DOCUMENT.write_text(f"{before}{BEGIN}{made}{END}{after}")
    written = DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]
    assert written == made, f"{DOCUMENT}: run `make states` and commit the file"
