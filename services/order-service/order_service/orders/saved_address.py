"""Address and email of a customer's profile, which user-service keeps."""

from __future__ import annotations

import hashlib
from threading import BoundedSemaphore
from time import monotonic
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from chassis.http.email import Email
from chassis.http.postal import Address
from chassis.service_client import ServiceCallFailed, ServiceCallRefused, ServiceClient

SECONDS = 0.3
"""How long one call may take."""
MOST_WAITING = 2
"""How many threads wait for user-service at once: few of a worker's, so that the shop goes on while it hangs."""
PAUSE_SECONDS = 5.0
"""How long user-service is left alone after it failed."""


_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


class Saved(NamedTuple):
    """What the profile has; None for what it has not, or cannot be had now."""

    address: dict[str, Any] | None = None
    email: str | None = None


NOTHING = Saved()


class SavedAddresses:
    """Ask user-service for saved addresses; do without one where that would take long."""

    def __init__(self, user_service: ServiceClient) -> None:
        self._user_service = user_service
        self._slots = BoundedSemaphore(MOST_WAITING)
        self._paused_until = 0.0

    def get(self, token: str | None) -> Saved:
        """Return what the profile of the token's customer has."""
        if monotonic() < self._paused_until or not self._slots.acquire(blocking=False):
            return NOTHING
        try:
            profile = self._user_service.get("/profile", token=token)
            return Saved(_address(profile.get("shipping_address")), _email(profile.get("email")))
        except ServiceCallRefused:
            return NOTHING  # of this token alone
        except ServiceCallFailed:
            self._paused_until = monotonic() + PAUSE_SECONDS
            return NOTHING
        finally:
            self._slots.release()


def digest(address: dict[str, Any]) -> str:
    """Return what tells this address from others, for a hidden field."""
    return hashlib.sha256(orjson.dumps(address, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _address(stored: object) -> dict[str, Any] | None:
    """Return the address; None for what is none, whatever user-service says."""
    try:
        return Address.model_validate(stored).model_dump()
    except ValidationError:
        return None


def _email(stored: object) -> str | None:
    try:
        return _EMAIL.validate_python(stored) or None
    except ValidationError:
        return None
