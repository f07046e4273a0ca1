"""The table at the end of `make chaos`, one line per fault."""

from __future__ import annotations

from typing import NamedTuple

HEAD = ("fault", "requests sent", "acknowledged", "lost", "duplicated", "recovery")


class Outcome(NamedTuple):
    """The result of a fault; `recovery_seconds` is the longest time from its end to the next acknowledged order."""

    fault: str
    sent: int
    acknowledged: int
    lost: int
    duplicated: int
    recovery_seconds: float | None

    def cells(self) -> tuple[str, ...]:
        recovery = "-" if self.recovery_seconds is None else f"{self.recovery_seconds:.2f} s"
        return (self.fault, *map(str, self[1:5]), recovery)


def table(outcomes: list[Outcome]) -> list[str]:
    rows = [HEAD, *(outcome.cells() for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(line))
        for line in (list(zip(row, widths, strict=True)) for row in rows)
    ]
