"""The roles in tokens, and the refusal of callers without one."""

from __future__ import annotations

from typing import Any

from chassis.context import Caller, Services
from chassis.problems import InvalidToken, Problem

STAFF = "staff"
UNPROVEN_STAFF = "staff_without_second_factor"
"""In a token of staff whose session has no second factor, where one is needed: it allows nothing."""


class StaffOnly(Problem):
    status, code, error = 403, "staff_only", "this is for the staff of the shop only"


class SecondFactorNeeded(Problem):
    status, code = 403, "second_factor_needed"
    error = "staff need a second factor here: switch it on in your account, then sign in again with a code"


REFUSALS = (StaffOnly, SecondFactorNeeded)


def require_staff(services: Services, caller: Caller) -> None:
    """Raise StaffOnly or SecondFactorNeeded; raise Unavailable while ended sessions are known too late."""
    if UNPROVEN_STAFF in caller.roles:
        raise SecondFactorNeeded
    if STAFF not in caller.roles:
        raise StaffOnly
    services.require_current_sessions()


def read_roles(claims: dict[str, Any]) -> tuple[str, ...]:
    """Return the roles of a token's claims; a token without the claim has none."""
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise InvalidToken
    return tuple(roles)
