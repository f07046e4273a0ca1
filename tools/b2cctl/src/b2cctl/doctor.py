"""Check the GitHub settings that the pipeline needs and that cannot be files in the repository."""

from collections.abc import Callable
from typing import Any

from b2cctl import github
from b2cctl.git import Refused


def _protects(found: Any) -> bool:
    return {"pull_request", "non_fast_forward", "deletion"} <= {rule["type"] for rule in found}


def _requires_checks(found: Any) -> bool:
    rules = [rule["parameters"] for rule in found if rule["type"] == "required_status_checks"]
    checks = {check["context"] for rule in rules for check in rule["required_status_checks"]}
    if _requires_guard_of_main(found):
        checks.add("guard")
    return {"gate", "guard"} <= checks and all(rule["strict_required_status_checks_policy"] for rule in rules)


GUARD = (".github/workflows/guard.yml", "refs/heads/main")


def _requires_guard_of_main(found: Any) -> bool:
    """Recognise the guard as a required workflow, which a change cannot replace by its own."""
    required = [each for rule in found if rule["type"] == "workflows" for each in rule["parameters"]["workflows"]]
    return any((each["path"], each.get("ref")) == GUARD for each in required)


def _only_reads(found: Any) -> bool:
    return found["default_workflow_permissions"] == "read" and not found["can_approve_pull_request_reviews"]


def _is_for_main(found: Any) -> bool:
    return {policy["name"] for policy in found["branch_policies"]} == {"main"}


def _has_key(found: Any) -> bool:
    return "BOT_PRIVATE_KEY" in {secret["name"] for secret in found["secrets"]}


def _asks_somebody_else(found: Any) -> bool:
    reviews = [rule for rule in found["protection_rules"] if rule["type"] == "required_reviewers"]
    return any(rule["prevent_self_review"] for rule in reviews)


# Requirement, API endpoint, check of its response.
SETTINGS: list[tuple[str, str, Callable[[Any], bool]]] = [
    ("a ruleset on main wants pull requests, no force-push, no deletion", "rules/branches/main", _protects),
    ("it requires the checks `gate` and `guard`, on up-to-date branches", "rules/branches/main", _requires_checks),
    ("workflow tokens only read, and approve nothing", "actions/permissions/workflow", _only_reads),
    ("actions are pinned to a full commit", "actions/permissions", lambda found: found["sha_pinning_required"]),
    ("environment prod asks a reviewer, and not the one who started", "environments/prod", _asks_somebody_else),
]
ENVIRONMENTS = ("dev", "stage", "prod")
for _env in ENVIRONMENTS:
    SETTINGS += [
        (f"environment {_env} is for main only", f"environments/{_env}/deployment-branch-policies", _is_for_main),
        (f"environment {_env} has its App's key, BOT_PRIVATE_KEY", f"environments/{_env}/secrets", _has_key),
    ]


def examine(slug: str) -> list[tuple[str, str]]:
    """Return verdict and requirement of each setting; unknown when GitHub does not answer."""
    alone = [(_verdict(slug, endpoint, holds), must) for must, endpoint, holds in SETTINGS]
    return [*alone, (_apps(slug), "each environment's variable BOT_CLIENT_ID names an App of its own")]


def _verdict(slug: str, endpoint: str, holds: Callable[[Any], bool]) -> str:
    try:
        return "ok" if holds(github.api(slug, endpoint)) else "WRONG"
    except Refused:
        return "unknown"
    except (KeyError, TypeError):
        return "WRONG"


def _apps(slug: str) -> str:
    try:
        found = [github.api(slug, f"environments/{env}/variables/BOT_CLIENT_ID")["value"] for env in ENVIRONMENTS]
    except Refused:
        return "unknown"
    return "ok" if all(found) and len(set(found)) == len(found) else "WRONG"
