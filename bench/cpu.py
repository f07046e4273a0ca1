"""The CPU time that a part of the shop has used."""

from __future__ import annotations

from contextlib import suppress

import psutil

from localshop.child import Child


def spent(part: Child) -> float:
    """Return the CPU seconds that a part's processes have used so far."""
    used = 0.0
    for process in part.family():
        with suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:2])
    return used
