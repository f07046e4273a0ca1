"""The GitHub settings that the pipeline needs and that no file in the repository can make."""

from collections.abc import Callable
from typing import Any

from b2cctl import github
from b2cctl.git import Refused


def _rules(found: Any) -> set[str]:
    return {rule["type"] for rule in found}


def _required_checks(found: Any) -> set[str]:
    parameters = [rule["parameters"] for rule in found if rule["type"] == "required_status_checks"]
    return {check["context"] for each in parameters for check in each["required_status_checks"]}


def _reviewed(found: Any) -> bool:
    return "required_reviewers" in {rule["type"] for rule in found["protection_rules"]}


# What must be, the endpoint that tells, and how to recognise it there.
SETTINGS: list[tuple[str, str, Callable[[Any], bool]]] = [
    (
        "a ruleset on main wants pull requests, and no force-push or deletion; only the App bypasses it",
        "rules/branches/main",
        lambda found: {"pull_request", "non_fast_forward", "deletion"} <= _rules(found),
    ),
    (
        "that ruleset requires the checks `gate` and `guard`, on up-to-date branches",
        "rules/branches/main",
        lambda found: {"gate", "guard"} <= _required_checks(found),
    ),
    (
        "workflow tokens are read-only by default and approve nothing",
        "actions/permissions/workflow",
        lambda found: (
            (found["default_workflow_permissions"], found["can_approve_pull_request_reviews"]) == ("read", False)
        ),
    ),
    ("actions are pinned to a full commit", "actions/permissions", lambda found: found["sha_pinning_required"]),
    ("the variable BOT_CLIENT_ID names the App", "actions/variables/BOT_CLIENT_ID", lambda found: bool(found["value"])),
    ("environment prod asks a reviewer", "environments/prod", _reviewed),
]
for _env in ("dev", "stage", "prod"):
    SETTINGS += [
        (
            f"environment {_env} is for main only",
            f"environments/{_env}",
            lambda found: found["deployment_branch_policy"] is not None,
        ),
        (
            f"environment {_env} has the App's key: secret BOT_PRIVATE_KEY",
            f"environments/{_env}/secrets",
            lambda found: "BOT_PRIVATE_KEY" in {secret["name"] for secret in found["secrets"]},
        ),
    ]


def examine(slug: str) -> list[tuple[str, str]]:
    """Check each setting; what cannot be asked is listed as unknown."""
    return [(_verdict(slug, endpoint, holds), must) for must, endpoint, holds in SETTINGS]


def _verdict(slug: str, endpoint: str, holds: Callable[[Any], bool]) -> str:
    try:
        return "ok" if holds(github.api(slug, endpoint)) else "WRONG"
    except Refused:
        return "unknown"
    except (KeyError, TypeError):
        return "WRONG"
