"""The GitHub settings that the pipeline needs and that no file in the repository can make."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = Any


@dataclass(frozen=True)
class Setting:
    """A setting: what it must be, where the API tells, and how to recognise it."""

    must: str
    endpoint: str
    holds: Callable[[Answer], bool]


def _rule_kinds(rules: Answer) -> set[str]:
    return {rule["type"] for rule in rules}


def _required_checks(rules: Answer) -> set[str]:
    required = [
        rule["parameters"]["required_status_checks"] for rule in rules if rule["type"] == "required_status_checks"
    ]
    return {check["context"] for checks in required for check in checks}


def _reviewed(environment: Answer) -> bool:
    return any(rule["type"] == "required_reviewers" for rule in environment["protection_rules"])


SETTINGS = [
    Setting(
        "a ruleset on main refuses force-pushes, deletion and pushes without a pull request (the App may bypass)",
        "rules/branches/main",
        lambda rules: {"non_fast_forward", "deletion", "pull_request"} <= _rule_kinds(rules),
    ),
    Setting(
        "that ruleset requires the checks `gate` and `guard`, on up-to-date branches",
        "rules/branches/main",
        lambda rules: {"gate", "guard"} <= _required_checks(rules),
    ),
    Setting(
        "workflow tokens are read-only by default and cannot approve pull requests",
        "actions/permissions/workflow",
        lambda found: found["default_workflow_permissions"] == "read" and not found["can_approve_pull_request_reviews"],
    ),
    Setting(
        "actions must be pinned to a full commit", "actions/permissions", lambda found: found["sha_pinning_required"]
    ),
    Setting(
        "environment dev exists, for main only",
        "environments/dev",
        lambda found: bool(found["deployment_branch_policy"]),
    ),
    Setting(
        "environment stage exists, for main only",
        "environments/stage",
        lambda found: bool(found["deployment_branch_policy"]),
    ),
    Setting("environment prod asks a reviewer", "environments/prod", _reviewed),
    *(
        Setting(
            f"environment {env} knows the App: secret BOT_PRIVATE_KEY",
            f"environments/{env}/secrets",
            lambda found: "BOT_PRIVATE_KEY" in {secret["name"] for secret in found["secrets"]},
        )
        for env in ("dev", "stage", "prod")
    ),
    Setting(
        "the App's client id is in the variable BOT_CLIENT_ID",
        "actions/variables/BOT_CLIENT_ID",
        lambda found: bool(found["value"]),
    ),
]


def examine(slug: str) -> list[tuple[str, str]]:
    """Check each setting through `gh`; what cannot be asked is listed as unknown."""
    return [(_verdict(slug, setting), setting.must) for setting in SETTINGS]


def _verdict(slug: str, setting: Setting) -> str:
    try:
        command = ["gh", "api", f"repos/{slug}/{setting.endpoint}"]
        asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return "ok" if setting.holds(json.loads(asked.stdout)) else "WRONG"
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    except (KeyError, TypeError, ValueError):
        return "WRONG"
