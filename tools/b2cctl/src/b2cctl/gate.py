"""The required check: every job succeeded, or was skipped by the plan."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def complaints(needs: Mapping[str, Any], event: str) -> Iterator[str]:
    """Yield a message per failed or wrongly skipped job; `needs` is the workflow's context of that name."""
    skippable = _skippable(needs.get("plan", {}).get("outputs", {}), event)
    for job, outcome in needs.items():
        result = outcome["result"]
        if result == "skipped" and job not in skippable:
            yield f"{job} was skipped, and the plan does not say so"
        elif result not in ("success", "skipped"):
            yield f"{job}: {result}"


def _skippable(outputs: Mapping[str, str], event: str) -> set[str]:
    decided_by = {"test": "test", "browser": "test", "build": "build"}
    idle = {job for job, output in decided_by.items() if json.loads(outputs.get(output) or "null") == []}
    if event != "push":
        return idle | {"publish", "release"}
    if outputs.get("release") == "false":
        idle.add("release")
    return idle | ({"publish"} if "build" in idle else set())
